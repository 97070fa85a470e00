"""Measure the cost of a dispatcher that has nothing to do, however much is planned, and how soon it starts."""

import time

from bench import inside, service, table
from bench.grounds import KINDS, Database, Grounds
from bench.server import telegram

_SETTLE_SECONDS = 5.0
_HEAD = ("waiting", "of a core", "memory", "start to first heartbeat")


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print the processor time of some seconds, the memory, and the time that the start takes."""
    seconds = 5 if quick else 10
    sizes = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    rows = []
    with telegram() as server:
        for kind in KINDS:
            for pending in sizes:
                with grounds.fresh(kind, pending) as database:
                    rows.append(_line(f"{kind}, {pending:,} messages", database, server.url, seconds))
            with grounds.fresh(kind) as database:
                schedules = 10_000 if quick else 100_000
                inside.call(database, "bench.plans:sleeping", schedules=schedules)
                rows.append(_line(f"{kind}, {schedules:,} daily schedules", database, server.url, seconds))
    table.show(f"Idle: a dispatcher with nothing due, over {seconds} s", _HEAD, rows)


def _line(name: str, database: Database, url: str, seconds: int) -> tuple[str, ...]:
    with service.dispatcher(database, url) as process:
        time.sleep(_SETTLE_SECONDS)
        before = process.cpu_seconds()
        time.sleep(seconds)
        busy = (process.cpu_seconds() - before) / seconds
        memory = f"{process.resident_megabytes():.0f} MB"
        return name, f"{busy:.1%}", memory, f"{process.start_seconds:.2f} s"
