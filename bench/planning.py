"""Measure how fast rules become times, Schedules become Messages, and Messages move with a new zone."""

from bench import inside, table
from bench.grounds import KINDS, Grounds


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print each figure beside that of a bare loop."""
    _occurrences(quick=quick)
    _messages(grounds, quick=quick)


def _occurrences(*, quick: bool) -> None:
    from bench import occurrences

    rules = 10_000 if quick else 100_000
    rows = []
    for name, years in (("begun last month", 0.08), ("begun 6 years ago", 6)):
        # A plain loop over dateutil's years takes minutes; a part of the rules gives the same ratio.
        sample = rules if years < 1 else rules // 20
        ours = occurrences.ours(rules, years) / rules
        theirs = occurrences.dateutils(sample, years) / sample
        rows.append((name, f"{ours * 1e6:,.0f} µs", f"{theirs * 1e6:,.0f} µs", f"{theirs / ours:.1f} times"))
    head = ("rules", "companion.times", "python-dateutil", "faster")
    table.show(f"The next occurrence of {rules:,} rules, each", head, rows)


def _messages(grounds: Grounds, *, quick: bool) -> None:
    patients = 5_000 if quick else 100_000
    plans, replans = [], []
    for kind in KINDS:
        with grounds.fresh(kind) as database:
            ours = inside.call(database, "bench.plans:plan", patients=patients)
            moved = inside.call(database, "bench.plans:replan")
            by_dateutil = inside.call(database, "bench.plans:dateutil_replan")
            theirs = inside.call(database, "bench.plans:dateutil_plan")
            bare = inside.call(database, "bench.plans:bare")
        plans += [
            _line(f"{kind}: bare executemany", bare, bare),
            _line(f"{kind}: python-dateutil loop, executemany", theirs, bare),
            _line(f"{kind}: planner", ours, bare),
        ]
        replans += [
            _line(f"{kind}: python-dateutil loop, executemany", by_dateutil, by_dateutil),
            _line(f"{kind}: planner", moved, by_dateutil),
        ]
    head = ("", "seconds", "messages", "times the first", "longest batch", "memory")
    note = "The planner commits every 200 patients, so that it holds nobody up; the bare loops commit once."
    title = f"{{}} a daily schedule of {patients:,} patients: {2 * patients:,} messages"
    table.show(title.format("Planning"), head, plans, note)
    table.show(title.format("Changing the zone of"), head, replans)


def _line(name: str, figures: inside.Figures, first: inside.Figures) -> tuple[str, ...]:
    batch = table.ms(figures["longest"]) if "longest" in figures else ""
    memory = f"{figures['grown_megabytes']:.0f} MB" if "grown_megabytes" in figures else ""
    seconds, rate = figures["seconds"], figures["messages"] / figures["seconds"]
    return (name, f"{seconds:.1f}", f"{rate:,.0f}/s", table.ratio(seconds, first["seconds"]), batch, memory)
