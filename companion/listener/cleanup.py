"""Delete old data once an hour: patients' files (media.py), numbers of messages (clinics/numbers.py), and the old rows
of rooms above (service/old_rows.py).
"""

import asyncio
from typing import Final

import structlog

from companion.clinics import numbers
from companion.listener import media
from companion.listener.database import Database
from companion.service import old_rows
from companion.service.clock import database_now

log = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 3600.0
AT_ONCE: Final = 20
"""The largest number of files that are deleted at once, so that patients' messages don't wait."""


class Cleanup:
    """A task that deletes old data until it is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._database.patiently(_drop_rows)
            dropped = await self._database.patiently(_drop_files)
            if dropped:
                log.info("files from patients were deleted", count=dropped)
            await asyncio.sleep(0 if dropped == AT_ONCE else EVERY_SECONDS)


def _drop_rows() -> None:
    now = database_now()
    numbers.drop_old(now=now)
    old_rows.drop(now=now)


def _drop_files() -> int:
    return media.drop_old(now=database_now(), limit=AT_ONCE)
