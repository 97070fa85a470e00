"""Measure how many messages become unknown while Telegram doesn't answer, and how soon the others leave afterwards."""

import time
from contextlib import ExitStack
from typing import Final

from bench import inside, service, table
from bench.grounds import POSTGRESQL, SQLITE, Database, Grounds
from bench.server import telegram

_ALLOWED: Final = 30
_BACKLOG: Final = 300
_BEFORE: Final = 60
"""The messages that are answered before the silence begins."""
_UNKNOWN: Final = "SELECT count(*) FROM schedules_message WHERE reason = 'outcome_unknown'"
_PENDING: Final = "SELECT count(*) FROM schedules_message WHERE status = 'pending'"


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print the cost of a silence in the middle of a backlog at 30 messages a second."""
    seconds = 10.0 if quick else 60.0
    rows = []
    for kind, dispatchers in ((SQLITE, 1), (POSTGRESQL, 3)):
        for silence in ("hang", "close"):
            unknown, after = _silenced(grounds, kind, dispatchers, silence, seconds)
            plain = (_BACKLOG - _BEFORE) / _ALLOWED
            rows.append(
                (f"{kind}, {dispatchers}, {silence}", str(unknown), f"{after:.1f} s", table.ratio(after, plain))
            )
    head = ("dispatchers, silence", f"unknown of {_BACKLOG}", "others sent after", "of a plain drain")
    note = "hang: requests are taken and not answered; close: each connection is closed after the request was read."
    table.show(f"Hang: {seconds:.0f} s of silence at {_ALLOWED} a second", head, rows, note)


def _silenced(grounds: Grounds, kind: str, dispatchers: int, silence: str, seconds: float) -> tuple[int, float]:
    """The number of messages that became unknown, and the seconds from the silence's end until none was pending."""
    with grounds.fresh(kind) as database, telegram() as server, ExitStack() as running:
        for _ in range(dispatchers):
            running.enter_context(service.dispatcher(database, server.url))
        inside.call(database, "bench.rows:due", count=_BACKLOG, first=time.time())
        server.wait_for(_BEFORE, 60)
        server.be_silent(silence)
        time.sleep(seconds)
        server.be_silent("no")
        began = time.monotonic()
        while _count(database, _PENDING):
            time.sleep(0.1)
        return _count(database, _UNKNOWN), time.monotonic() - began


def _count(database: Database, statement: str) -> int:
    return int(str(database.ask(statement)[0][0]))
