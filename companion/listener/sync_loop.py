"""The timer of the patients' sources: start the sync of each clinic's source when it is due, in a separate thread.

The listener runs the timer, but not in its database thread: a sync may take minutes, and a patient's STOP must not
wait. A source that hangs delays no other clinic.
"""

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable
from typing import Final

import structlog
from django.db import close_old_connections, connection

from companion.clinics.models import Clinic
from companion.clinics.refusals import Conflict
from companion.patients.sources import sync
from companion.service.clock import database_now
from companion.service.error_place import kind_and_place

log = structlog.get_logger(__name__)
POLL_SECONDS: Final = 5.0
"""The longest time from a member's "Sync now" to the start of the sync."""
AT_ONCE: Final = 3
"""The largest number of syncs at once, so that the database has room for patients' messages."""


class SyncLoop:
    """A thread that starts the syncs, and one thread for each running sync."""

    def __init__(self, every: float = POLL_SECONDS, clock: Callable[[], dt.datetime] = database_now) -> None:
        self._every: Final = every
        self._clock: Final = clock
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="syncs", daemon=True)
        self._under_way: dict[uuid.UUID, threading.Thread] = {}
        """The threads of the running syncs, by source."""
        self.trouble = ""
        """A sentence about what is wrong; empty while all is well."""

    def start(self) -> None:
        """Start the timer's thread."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Stop the timer. A sync that runs longer than `seconds` is abandoned; the next start continues it."""
        until = time.monotonic() + seconds
        self._stop.set()
        for thread in (self._thread, *self._under_way.values()):
            thread.join(max(until - time.monotonic(), 0))

    def _run(self) -> None:
        while not self._stop.is_set():
            self.trouble = _survive(self._start_due)
            self._stop.wait(self._every)
        connection.close()

    def _start_due(self) -> None:
        close_old_connections()
        self._under_way = {source: thread for source, thread in self._under_way.items() if thread.is_alive()}
        for row in sync.due(now=self._clock()):
            if row.pk not in self._under_way and len(self._under_way) < AT_ONCE:
                thread = threading.Thread(target=self._sync, args=(row.clinic,), name="sync", daemon=True)
                self._under_way[row.pk] = thread
                thread.start()

    def _sync(self, clinic: Clinic) -> None:
        _survive(lambda: sync.sync(clinic, clock=self._clock))
        connection.close()


def _survive(work: Callable[[], object]) -> str:
    """Run `work` and return a sentence about its failure, or "". The next round tries again."""
    try:
        work()
    except Conflict as why:
        log.info("a sync was left out", why=str(why))
    except Exception as error:  # noqa: BLE001 (a thread that dies of an error would silently end all syncs)
        log.error("syncing failed and is tried again", **kind_and_place(error))  # noqa: TRY400
        connection.close()
        return f"Patients are not synced for now ({type(error).__name__}); trying again."
    return ""
