"""The timer of the directory: reads each clinic's source of patients when its time has come, in threads of its own.

In the listener service, since that, too, only takes in; beside its database thread, since a sync may take minutes and a
patient's STOP must not wait for it. Each sync has a thread: a source that hangs keeps no other clinic's waiting.
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
from companion.service.mishap import kind_and_place

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 5.0
"""How soon a sync that somebody asked for is taken up."""
AT_ONCE: Final = 3
"""So few that writing for them leaves the database to what patients write."""


class SyncLoop:
    """One thread that looks, and one for each sync under way."""

    def __init__(self, every: float = LOOK_SECONDS, clock: Callable[[], dt.datetime] = database_now) -> None:
        self._every: Final = every
        self._clock: Final = clock
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="syncs", daemon=True)
        self._under_way: dict[uuid.UUID, threading.Thread] = {}
        """By source."""
        self.trouble = ""
        """What is wrong, for people; empty while all is well."""

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Ends; a sync that is under way longer is left, and the next start's takes its work up."""
        until = time.monotonic() + seconds
        self._stop.set()
        for thread in (self._thread, *self._under_way.values()):
            thread.join(max(until - time.monotonic(), 0))

    def _run(self) -> None:
        while not self._stop.is_set():
            self.trouble = _outlived(self._look)
            self._stop.wait(self._every)
        connection.close()

    def _look(self) -> None:
        close_old_connections()
        self._under_way = {source: thread for source, thread in self._under_way.items() if thread.is_alive()}
        for row in sync.due(now=self._clock()):
            if row.pk not in self._under_way and len(self._under_way) < AT_ONCE:
                thread = threading.Thread(target=self._sync, args=(row.clinic,), name="sync", daemon=True)
                self._under_way[row.pk] = thread
                thread.start()

    def _sync(self, clinic: Clinic) -> None:
        _outlived(lambda: sync.sync(clinic, clock=self._clock))
        connection.close()


def _outlived(work: Callable[[], object]) -> str:
    """Empty, or what went wrong, the database's absence too: it is said, and the next look tries again."""
    try:
        work()
    except Conflict as why:
        log.info("a sync was left out", why=str(why))
    except Exception as error:  # noqa: BLE001 (a thread that dies of one mistake would end all syncs, and tell nobody)
        log.error("syncing failed and is tried again", **kind_and_place(error))  # noqa: TRY400
        connection.close()
        return f"Patients are not synced for now ({type(error).__name__}); trying again."
    return ""
