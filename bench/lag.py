"""Measure how punctually messages leave: arrival minus due instant, while many others are planned; and "send now"."""

import time

from bench import inside, service, table
from bench.grounds import KINDS, Database, Grounds
from bench.server import Telegram, telegram

_PER_SECOND = 20
_CHATS = 9_000_000_000
_SEND_NOW_CHATS = 9_100_000_000
_HEAD = ("others pending", "p50", "p99", "max", "send now p50", "max")


def run(grounds: Grounds, *, quick: bool) -> None:
    """Print the lag at 20 messages a second, with the default rate of 30."""
    seconds = 5 if quick else 20
    sizes = (0, 100_000) if quick else (0, 100_000, 1_000_000)
    rows = []
    with telegram() as server:
        for kind in KINDS:
            for pending in sizes:
                with grounds.fresh(kind, pending) as database:
                    timed, by_hand = _lags(database, server, _PER_SECOND * seconds)
                lags = [table.ms(table.quantile(timed, part)) for part in (0.5, 0.99, 1)]
                now = [table.ms(table.quantile(by_hand, part)) for part in (0.5, 1)]
                rows.append((f"{kind}, {pending:,}", *lags, *now))
    note = "Send now is measured from the click on. It waits for one of the 30 slots a second, too."
    table.show(f"Lag: {_PER_SECOND} messages a second for {seconds} s", _HEAD, rows, note)


def _lags(database: Database, server: Telegram, count: int) -> tuple[list[float], list[float]]:
    with service.dispatcher(database, server.url):
        first = time.time() + 5
        inside.call(database, "bench.rows:due", count=count, first=first, gap=1 / _PER_SECOND)
        server.wait_for(count, count / _PER_SECOND + 30)
        timed = [at - first - (chat - _CHATS) / _PER_SECOND for at, chat in server.take()]
        clicked = inside.call(database, "bench.acts:send_now", count=20, chats_from=_SEND_NOW_CHATS)
        server.wait_for(len(clicked), 30)
        by_hand = [at - clicked[str(chat)] for at, chat in server.take()]
    if min(timed) < 0:
        raise RuntimeError(f"a message left {-min(timed):.4f} s early")
    return timed, by_hand
