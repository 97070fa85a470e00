"""Measure the cost of the audit trail: for a POST, for chaining an entry, and for a backlog that is sent meanwhile."""

import time

from bench import inside, table
from bench.drain import drained, unlimited
from bench.grounds import KINDS, Grounds
from bench.server import Telegram, telegram


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print both sides of each ratio: with the trail, and without its entries and its thread."""
    posts, messages, rounds = (200, 2_000, 1) if quick else (1_000, 20_000, 3)
    rows = [row for kind in KINDS for row in _posts(grounds, kind, posts)]
    with telegram() as server:
        rows += [_drains(grounds, kind, server, messages, rounds) for kind in KINDS]
    note = (
        "A POST plans a message; POSTs with and without the trail take turns in one process. The entry of a POST is "
        "sealed in its transaction, and chained afterwards by a thread. The drain's dispatcher chains "
        f"{messages // 10:,} entries of others meanwhile."
    )
    title = f"The audit trail: the median of {posts:,} POSTs; {messages:,} due messages, best of {rounds}"
    table.show(title, ("", "with it", "without", "ratio"), rows, note)


def _posts(grounds: Grounds, kind: str, count: int) -> list[tuple[str, ...]]:
    with grounds.fresh(kind) as database:
        inside.call(database, "bench.rows:due", count=count, first=time.time() + 86_400)
        found = inside.call(database, "bench.trailed:posts", count=count)
    on, off = found["with"], found["without"]
    return [
        (f"POST /messages, {kind}", table.ms(on), table.ms(off), table.ratio(on, off)),
        (f"chaining an entry, {kind}", f"{found['chained'] * 1e6:,.0f} µs", "", ""),
    ]


def _drains(grounds: Grounds, kind: str, server: Telegram, count: int, rounds: int) -> tuple[str, ...]:
    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for trail, rates in found.items():
            with grounds.fresh(kind) as database:
                dispatcher = unlimited(database, server, trail=trail)
                entries = count // 10 if trail else 0
                rates.append(drained(database, server, count, dispatcher, entries=entries).rate)
    on, off = max(found[True]), max(found[False])
    return f"drain, {kind}", f"{on:,.0f}/s", f"{off:,.0f}/s", table.ratio(on, off)
