"""How fast a backlog leaves: one dispatcher with all its promises kept, beside bare loops that promise nothing."""

import time
from collections.abc import Iterator, Sequence

from bench import inside, loops, service, table
from bench.grounds import KINDS, Database, Grounds
from bench.server import Telegram, telegram

_UNLIMITED = {"rate_per_second": 100_000, "rate_per_chat": 1000, "concurrency": 100}
_LEFT = "SELECT count(*) FROM schedules_message WHERE status <> 'sent' OR tries <> 1"


def run(grounds: Grounds, *, quick: bool) -> None:
    """Prints messages a second, from the first arrival at the server to the last; the best of some rounds of all."""
    count, rounds = (3_000, 1) if quick else (20_000, 2)
    rates: dict[str, float] = {}
    with telegram() as server:
        for _ in range(rounds):
            for name, rate in _round(grounds, server, count):
                rates[name] = max(rate, rates.get(name, 0))
    bare = rates["bare aiohttp loop"]
    rows = [(name, f"{rate:,.0f}/s", table.ratio(rate, bare)) for name, rate in rates.items()]
    note = "Each Attempt is committed durably before its request leaves, and closed after the answer."
    title = f"Drain: {count:,} due messages, 100 in flight, best of {rounds}"
    table.show(title, ("", "messages", "of bare aiohttp"), rows, note)


def _round(grounds: Grounds, server: Telegram, count: int) -> Iterator[tuple[str, float]]:
    for which in ("aiohttp", "aiogram"):
        loops.run(which, server.url, count)
        yield f"bare {which} loop", _rate(server.take())
    for kind in KINDS:
        with grounds.fresh(kind) as database:
            yield f"dispatcher, {kind}", _drain(database, server, count)


def _drain(database: Database, server: Telegram, count: int) -> float:
    inside.call(database, "bench.rows:due", count=count, first=time.time() - 1)
    with service.dispatcher(database, server.url, **_UNLIMITED):
        server.wait_for(count, 120)
        arrivals = server.take()
        until = time.monotonic() + 20
        while (left := database.ask(_LEFT)[0][0]) and time.monotonic() < until:
            time.sleep(0.1)
    if left or len(arrivals) != count or len({chat for _, chat in arrivals}) != count:
        raise RuntimeError(f"{len(arrivals)} arrived of {count}, {left} are not sent by their first try")
    return _rate(arrivals)


def _rate(arrivals: Sequence[tuple[float, int]]) -> float:
    return (len(arrivals) - 1) / (arrivals[-1][0] - arrivals[0][0])
