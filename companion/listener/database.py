"""Run the listener's database work in one thread with one connection, and retry while the database is away."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

import structlog
from django.db import close_old_connections, connections

from companion.journal.writing import JournalGone
from companion.service.outages import OUTAGES

log = structlog.get_logger(__name__)
AGAIN_SECONDS: Final = 1.0
_JOURNAL_GONE: Final = (
    "The Journal can't be written. Check the disk with the folder of COMPANION_JOURNAL_DIR: space and rights."
)

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Database:
    """A thread that does one piece of work after the other, so that a flood of updates can't overload the database."""

    def __init__(self) -> None:
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="listener-database")

    async def do(self, work: Callable[..., _T], *args: object, **named: object) -> _T:
        """Run `work` and return its result. Raises the exceptions of `work`."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: _with_connection(work, args, named)
        )

    async def patiently(
        self, work: Callable[..., _T], *args: object, on_trouble: Callable[[str], None], **named: object
    ) -> _T:
        """Run `work`, again and again while the database is away or the Journal can't be written.

        `on_trouble` gets a sentence, and "" at the end.
        """
        away = False
        while True:
            try:
                done = await self.do(work, *args, **named)
            except (*OUTAGES, JournalGone) as error:
                if not away:
                    log.warning("the listener waits", error=type(error).__name__)
                away = True
                on_trouble(_JOURNAL_GONE if isinstance(error, JournalGone) else "The database does not answer.")
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                if away:
                    on_trouble("")
                return done

    def close(self) -> None:
        """End the thread after its current work, and close its connection."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=True)


def _with_connection(work: Callable[..., _T], args: tuple[object, ...], named: dict[str, object]) -> _T:
    # Closes a connection that has shown to be dead by an earlier error.
    close_old_connections()
    return work(*args, **named)
