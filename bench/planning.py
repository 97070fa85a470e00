"""How fast rules become times, and Schedules become Messages."""

from bench import inside, table
from bench.grounds import KINDS, Grounds


def run(grounds: Grounds, *, quick: bool) -> None:
    """Prints both, each beside a bare way to do the same."""
    _occurrences(quick=quick)
    _messages(grounds, quick=quick)


def _occurrences(*, quick: bool) -> None:
    from bench import occurrences

    rules = 10_000 if quick else 100_000
    rows = []
    for name, years in (("begun last month", 0.08), ("begun 6 years ago", 6)):
        # A plain loop over dateutil's years takes minutes; a part of the rules tells the same.
        sample = rules if years < 1 else rules // 20
        ours = occurrences.ours(rules, years) / rules
        theirs = occurrences.dateutils(sample, years) / sample
        rows.append((name, f"{ours * 1e6:,.0f} µs", f"{theirs * 1e6:,.0f} µs", f"{theirs / ours:.1f} times"))
    head = ("rules", "companion.times", "python-dateutil", "faster")
    table.show(f"The next occurrence of {rules:,} rules, each", head, rows)


def _messages(grounds: Grounds, *, quick: bool) -> None:
    patients = 5_000 if quick else 50_000
    rows = []
    for kind in KINDS:
        with grounds.fresh(kind) as database:
            planned = inside.call(database, "bench.plans:plan", patients=patients)
            bare = inside.call(database, "bench.plans:bare")
        ours, theirs = planned["messages"] / planned["seconds"], bare["messages"] / bare["seconds"]
        memory = f"{planned['grown_megabytes']:.0f} MB"
        rows.append((f"{kind}: bare executemany", f"{theirs:,.0f}/s", "1.00", ""))
        rows.append((f"{kind}: planner", f"{ours:,.0f}/s", table.ratio(ours, theirs), memory))
    note = "The planner commits every 500 messages, so that it holds nobody up; executemany commits once."
    title = f"Planning a daily schedule for a cohort of {patients:,}: {2 * patients:,} messages"
    table.show(title, ("", "messages", "of bare", "memory"), rows, note)
