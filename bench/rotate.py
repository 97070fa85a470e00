"""Measure the cost of sealing everything anew with another key, and of opening one value by the key ring."""

from bench import inside, table
from bench.grounds import KINDS, Grounds

_RING = {"SECRET_KEY": "a-newer-one-for-the-bench", "OTHER_SECRET_KEYS": "only-for-the-bench"}
_HEAD = ("database", "plain read and write", "keys rotate", "rows a second", "ratio")


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print `companion keys rotate` beside a pass that reads and writes the same rows, and the time to open a value."""
    rows = 50_000 if quick else 1_000_000
    lines = []
    for kind in KINDS:
        with grounds.fresh(kind) as database:
            inside.call(database, "bench.resealed:fill", rows=rows)
            plain = inside.call(database, "bench.resealed:plain")["seconds"]
        with grounds.fresh(kind) as database:
            inside.call(database, "bench.resealed:fill", rows=rows)
            ours = inside.call(database, "bench.resealed:rotate", _RING)["seconds"]
        lines.append((kind, f"{plain:,.1f} s", f"{ours:,.1f} s", table.count(rows / ours), table.ratio(ours, plain)))
    table.show(f"Sealing {rows:,} texts anew", _HEAD, lines)
    with grounds.fresh(KINDS[0]) as database:
        took = inside.call(database, "bench.resealed:opening", _RING, values=100_000 if quick else 1_000_000)
    each = [(name, f"{seconds * 1e6:.2f} µs", table.ratio(seconds, took["one key"])) for name, seconds in took.items()]
    table.show("Opening one text", ("by", "each", "ratio"), each, "One key: the first version's way, without key ids.")
