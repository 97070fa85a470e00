"""Measure how fast a backlog is sent: by one dispatcher that keeps all its promises, by bare loops that promise
nothing, and by other schedulers."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench import inside, loops, others, service, table
from bench.grounds import KINDS, POSTGRESQL, SQLITE, Database, Grounds
from bench.server import Telegram, telegram
from bench.service import Service

_UNLIMITED = {"rate_per_second": 100_000, "rate_per_chat": 1000, "concurrency": 100}
_LEFT = "SELECT count(*) FROM schedules_message WHERE status <> 'sent' OR tries <> 1"


@dataclass(frozen=True, slots=True)
class Figures:
    """Messages a second, and the processor time of each message in seconds."""

    rate: float
    cpu: float


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print messages a second, from the first arrival at the server to the last: the best of several rounds."""
    count, rounds = (3_000, 1) if quick else (20_000, 3)
    best: dict[str, Figures] = {}
    with telegram() as server:
        for _ in range(rounds):
            for name, found in _round(grounds, server, count):
                known = best.setdefault(name, found)
                best[name] = Figures(max(known.rate, found.rate), min(known.cpu, found.cpu))
    bare = best["bare aiohttp loop"]
    rows = [
        (
            name,
            f"{figures.rate:,.0f}/s",
            table.ratio(figures.rate, bare.rate),
            _micros(figures.cpu),
            table.ratio(figures.cpu, bare.cpu),
        )
        for name, figures in best.items()
    ]
    note = (
        "Each Attempt is committed durably before its request leaves, and closed after the answer; so is its line in "
        "the Journal. The Journal's cost is the ratio of both dispatchers. The webhook hears of each sent message: "
        "this is noted, and called later."
    )
    title = f"Drain: {count:,} due messages, 100 in flight, best of {rounds}"
    table.show(title, ("", "messages", "of bare aiohttp", "own processor time", "of bare"), rows, note)


def _round(grounds: Grounds, server: Telegram, count: int) -> Iterator[tuple[str, Figures]]:
    for which in ("aiohttp", "aiogram"):
        cpu = loops.run(which, server.url, count)
        yield f"bare {which} loop", Figures(_rate(server.take()), cpu / count)
    for kind in KINDS:
        with grounds.fresh(kind) as database:
            yield f"dispatcher, {kind}", drained(database, server, count, unlimited(database, server))
        with grounds.fresh(kind) as database:
            without = unlimited(database, server, journal=False)
            yield f"without its Journal, {kind}", drained(database, server, count, without)
        with grounds.fresh(kind) as database:
            inside.call(database, "bench.rows:webhook")
            yield f"with a webhook, {kind}", drained(database, server, count, unlimited(database, server))
    # They are slow, and a smaller backlog gives the same rate.
    few = count // 10
    for kind, which in ((SQLITE, "apscheduler"), (POSTGRESQL, "procrastinate")):
        with grounds.fresh(kind) as database:
            elapsed, cpu = others.run(which, database.url or str(database.folder), server.url, few)
            if len(server.take()) != few:
                raise RuntimeError(f"{which} did not send each once")
            yield f"{which}, {kind}", Figures(few / elapsed, cpu / few)


def unlimited(
    database: Database, server: Telegram, *, journal: bool = True, trail: bool = True
) -> AbstractContextManager[Service]:
    """Return a dispatcher, not started yet, whose rate only this machine limits."""
    return service.dispatcher(database, server.url, journal=journal, trail=trail, **_UNLIMITED)


def drained(
    database: Database, server: Telegram, count: int, dispatcher: AbstractContextManager[Service], *, entries: int = 0
) -> Figures:
    """Let a dispatcher send this number of due messages, while `entries` new entries of the audit trail are made.

    Raises RuntimeError unless each message is sent once, at its first try.
    """
    inside.call(database, "bench.rows:due", count=count, first=time.time() + 86_400)
    with dispatcher as process:
        if entries:
            inside.call(database, "bench.trailed:entries", count=entries)
        before = process.cpu_seconds()
        inside.call(database, "bench.rows:bring_forward")
        server.wait_for(count, 120)
        arrivals = server.take()
        until = time.monotonic() + 20
        while (left := database.ask(_LEFT)[0][0]) and time.monotonic() < until:
            time.sleep(0.1)
        cpu = process.cpu_seconds() - before
    if left or len(arrivals) != count or len({chat for _, chat in arrivals}) != count:
        raise RuntimeError(f"{len(arrivals)} arrived of {count}, {left} are not sent by their first try")
    return Figures(_rate(arrivals), cpu / count)


def _rate(arrivals: Sequence[tuple[float, int]]) -> float:
    return (len(arrivals) - 1) / (arrivals[-1][0] - arrivals[0][0])


def _micros(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"
