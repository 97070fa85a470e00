"""Delete patients' files whose days are over, once an hour, a few at a time. media.py finds them."""

import asyncio
from typing import Final

import structlog

from companion.listener import media
from companion.listener.database import Database
from companion.service.clock import database_now

log = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 3600.0
AT_ONCE: Final = 20
"""The limit of files in one turn, so that patients' messages don't wait."""


class MediaCleanup:
    """Deletes old files, until it is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            dropped = await self._database.patiently(_drop)
            if dropped:
                log.info("files from patients were deleted", count=dropped)
            await asyncio.sleep(0 if dropped == AT_ONCE else EVERY_SECONDS)


def _drop() -> int:
    return media.drop_old(now=database_now(), limit=AT_ONCE)
