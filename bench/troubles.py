"""Measure the cost of each fault: how soon health reports it and how, and what becomes of the messages."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import psycopg

from bench import inside, service, table
from bench.breaking import FAULTS, USER, Fault, Stage
from bench.grounds import POSTGRESQL, SQLITE, Database, Grounds
from bench.server import Telegram, telegram
from bench.watch import Watch, watch

_DISPATCHERS: Final = {SQLITE: 1, POSTGRESQL: 3}
_BACKLOG: Final = 300
_BEFORE: Final = 60
"""The messages that arrive before the fault."""
_SETTINGS: Final = {"rate_per_second": 30, "lease_seconds": 10}
_PATIENCE: Final = 180.0
_COUNTED: Final = {
    "unknown": "SELECT count(*) FROM schedules_message WHERE reason = 'outcome_unknown'",
    "pending": "SELECT count(*) FROM schedules_message WHERE status = 'pending'",
    "failed": "SELECT count(*) FROM schedules_message WHERE status = 'failed' AND reason <> 'outcome_unknown'",
    "told": "SELECT count(*) FROM panel_alert WHERE told_status <> ''",
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """The observations of one fault."""

    said_after: float | None
    """Seconds from the fault until health was not ok; None: health was ok all the time."""
    words: str
    healed_after: float
    """Seconds from the fault's end until health was ok again."""


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print the cost of each fault with three dispatchers on PostgreSQL, and with one on SQLite."""
    seconds = 10.0 if quick else 25.0
    rows, sentences = [], []
    for kind in (POSTGRESQL, SQLITE):
        for fault in FAULTS:
            if kind in fault.kinds:
                row, words = _suffered(grounds, kind, fault, seconds)
                rows.append(row)
                sentences.append((f"{kind}: {fault.name}", words))
    head = ("fault", "said after", "ok again after", "healed alone", "lost", "twice", "unknown", "alerts")
    note = f"Each fault lasts {seconds:.0f} s, in a backlog of {_BACKLOG} messages at 30 a second, with leases of 10 s."
    table.show("Faults: three dispatchers on PostgreSQL, one on SQLite", head, rows, note)
    for name, words in sentences:
        print(f"  {name}\n    {words or '(health stays ok)'}")


def _suffered(grounds: Grounds, kind: str, fault: Fault, seconds: float) -> tuple[list[str], str]:
    with grounds.fresh(kind) as own, telegram() as server, _as_user(own) as database, ExitStack() as all_services:
        dispatchers: list[service.Service] = []

        def start() -> None:
            dispatchers.append(
                all_services.enter_context(service.running("dispatcher", database, server.url, **_SETTINGS))
            )

        for name in ("web", "listener"):
            all_services.enter_context(service.running(name, database, server.url, port=0))
        for _ in range(_DISPATCHERS[kind]):
            start()
        seen_by = all_services.enter_context(watch(database))
        _until(lambda: seen_by.health()[0] == "ok", "health is ok before the fault")
        inside.call(own, "bench.rows:due", count=_BACKLOG, first=time.time())
        server.wait_for(_BEFORE, 60)
        seen = _watched(fault, Stage(grounds, own, server, dispatchers, start), seen_by, seconds)
        _until(lambda: not _count(own, "pending"), "nothing is pending")
        return _row(f"{kind}: {fault.name}", fault, seen, own, server), seen.words


def _watched(fault: Fault, stage: Stage, seen_by: Watch, seconds: float) -> _Seen:
    said_after, words, began = None, "", time.monotonic()
    with fault.happens(stage):
        while (since := time.monotonic() - began) < seconds:
            status, said = seen_by.health()
            if status != "ok":
                said_after, words = said_after or since, said
            time.sleep(0.2)
    ended = time.monotonic()
    _until(lambda: seen_by.health()[0] == "ok", f"health is ok after: {fault.name}")
    return _Seen(said_after, words, time.monotonic() - ended)


def _row(name: str, fault: Fault, seen: _Seen, database: Database, server: Telegram) -> list[str]:
    arrived = Counter(chat for _, chat in server.take())
    twice = sum(count > 1 for count in arrived.values())
    unknown = _count(database, "unknown")
    return [
        name,
        f"{seen.said_after:.0f} s" if seen.said_after is not None else "–",
        f"{seen.healed_after:.0f} s",
        "yes" if fault.alone else "started again",
        # A lost message: it did not arrive, is not unknown, and did not fail with a reason.
        str(max(0, _BACKLOG - len(arrived) - unknown - _count(database, "failed"))),
        str(twice),
        str(unknown),
        str(_count(database, "told")),
    ]


@contextmanager
def _as_user(database: Database) -> Iterator[Database]:
    """The same database, in which services log in as a user who is no superuser."""
    if database.kind != POSTGRESQL:
        yield database
        return
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {USER}".encode())
        connection.execute(f"CREATE ROLE {USER} LOGIN IN ROLE CURRENT_USER".encode())
    yield replace(database, url=urlsplit(database.url)._replace(netloc=f"{USER}@").geturl())


def _until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {_PATIENCE:.0f} s")
        time.sleep(0.2)


def _count(database: Database, what: str) -> int:
    return int(str(database.ask(_COUNTED[what])[0][0]))
