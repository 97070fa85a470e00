"""The listener's way to the database: one thread with one connection, which outlives the database's absence."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

import structlog
from django.db import close_old_connections, connections

from companion.service.away import AWAY

log = structlog.get_logger(__name__)
AGAIN_SECONDS: Final = 1.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Database:
    """One thread: what comes in is worked off in turn, so that no flood takes more than its share of the database."""

    def __init__(self) -> None:
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="listener-database")

    async def do(self, work: Callable[..., _T], *args: object, **named: object) -> _T:
        """What `work` comes to. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: _with_connection(work, args, named)
        )

    async def patiently(
        self, work: Callable[..., _T], *args: object, on_trouble: Callable[[str], None], **named: object
    ) -> _T:
        """The same, again and again while the database is away; `on_trouble` hears of it, and "" when it is back."""
        away = False
        while True:
            try:
                done = await self.do(work, *args, **named)
            except AWAY as error:
                if not away:
                    log.warning("the database does not answer", error=type(error).__name__)
                away = True
                on_trouble("The database does not answer.")
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                if away:
                    on_trouble("")
                return done

    def close(self) -> None:
        """Ends the thread after what it has at hand, and closes its connection."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=True)


def _with_connection(work: Callable[..., _T], args: tuple[object, ...], named: dict[str, object]) -> _T:
    # Drops a connection that an earlier error has shown to be dead.
    close_old_connections()
    return work(*args, **named)
