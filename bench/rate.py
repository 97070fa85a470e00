"""Measure whether the bot's rate holds: the mean, and the most in any second, as the server sees it."""

import datetime as dt
import time
from contextlib import ExitStack

from bench import inside, service, table
from bench.grounds import POSTGRESQL, SQLITE, Grounds
from bench.server import Telegram, telegram

_ALLOWED = 30


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print how a backlog leaves at the default rate of 30 messages a second."""
    seconds = 5 if quick else 20
    rows = []
    with telegram() as server:
        for kind, dispatchers in ((SQLITE, 1), (POSTGRESQL, 1), (POSTGRESQL, 3)):
            times, slots = _arrivals(grounds, server, kind, dispatchers, _ALLOWED * seconds)
            mean = (len(times) - 1) / (times[-1] - times[0])
            most = [str(_most_in_a_second(found)) for found in (times, slots)]
            rows.append((f"{kind}, {dispatchers}", f"{mean:.1f}/s", table.ratio(mean, _ALLOWED), *most))
    head = ("dispatchers", "mean", "of the limit", "most in any second", "by their slots")
    note = "If the server waits for a core, it then sees several arrivals at once. The slots are those of the Attempts."
    table.show(f"Rate: a backlog at the default {_ALLOWED} a second, {seconds} s", head, rows, note)


def _arrivals(
    grounds: Grounds, server: Telegram, kind: str, dispatchers: int, count: int
) -> tuple[list[float], list[float]]:
    """Return the times of the arrivals, and the slots for which the Attempts were begun (Unix time, ascending)."""
    with grounds.fresh(kind) as database, ExitStack() as running:
        for _ in range(dispatchers):
            running.enter_context(service.dispatcher(database, server.url))
        inside.call(database, "bench.rows:due", count=count, first=time.time())
        server.wait_for(count, count / _ALLOWED * 3 + 30)
        slots = [str(row[0]) for row in database.ask("SELECT began_at FROM schedules_attempt ORDER BY began_at")]
        return [at for at, _ in server.take()], [dt.datetime.fromisoformat(slot).timestamp() for slot in slots]


def _most_in_a_second(times: list[float]) -> int:
    most = begin = 0
    for end, at in enumerate(times):
        while times[begin] <= at - 1:
            begin += 1
        most = max(most, end - begin + 1)
    return most
