"""Measure the queries of the pages and the dispatcher at ten thousand, a hundred thousand and a million Messages."""

from bench import inside, table
from bench.grounds import KINDS, Grounds


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print each query's median time by the number of pending Messages."""
    sizes = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    for kind in KINDS:
        found = []
        for pending in sizes:
            with grounds.fresh(kind, pending) as database:
                found.append(inside.call(database, "bench.queries:time_all", pending=pending))
        rows = [
            (name, *(table.ms(figures[name]) for figures in found), table.ratio(found[-1][name], found[0][name]))
            for name in found[0]
        ]
        head = ("query", *(f"{pending:,}" for pending in sizes), "largest / smallest")
        note = "For ten pending messages there are two messages that have ended, and one patient."
        table.show(f"Queries on {kind}, by pending messages", head, rows, note)
