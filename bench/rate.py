"""Whether the bot's rate holds: the mean, and the most in any second, as the server sees it."""

import time
from contextlib import ExitStack

from bench import inside, service, table
from bench.grounds import POSTGRESQL, SQLITE, Grounds
from bench.server import Telegram, telegram

_ALLOWED = 30


def run(grounds: Grounds, *, quick: bool) -> None:
    """Prints what leaves of a backlog at the default rate of 30 a second."""
    seconds = 5 if quick else 20
    rows = []
    with telegram() as server:
        for kind, dispatchers in ((SQLITE, 1), (POSTGRESQL, 1), (POSTGRESQL, 3)):
            times = _arrivals(grounds, server, kind, dispatchers, _ALLOWED * seconds)
            mean = (len(times) - 1) / (times[-1] - times[0])
            most = _most_in_a_second(times)
            rows.append((f"{kind}, {dispatchers}", f"{mean:.1f}/s", table.ratio(mean, _ALLOWED), str(most)))
    head = ("dispatchers", "mean", "of the limit", "most in any second")
    table.show(f"Rate: a backlog at the default {_ALLOWED} a second, {seconds} s", head, rows)


def _arrivals(grounds: Grounds, server: Telegram, kind: str, dispatchers: int, count: int) -> list[float]:
    with grounds.fresh(kind) as database, ExitStack() as running:
        for _ in range(dispatchers):
            running.enter_context(service.dispatcher(database, server.url))
        inside.call(database, "bench.rows:due", count=count, first=time.time())
        server.wait_for(count, count / _ALLOWED * 3 + 30)
        return [at for at, _ in server.take()]


def _most_in_a_second(times: list[float]) -> int:
    most = begin = 0
    for end, at in enumerate(times):
        while times[begin] <= at - 1:
            begin += 1
        most = max(most, end - begin + 1)
    return most
