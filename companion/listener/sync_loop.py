"""The timer of the directory: reads each clinic's source of patients when its time has come, in a thread of its own.

In the listener service, since that, too, only takes in; beside its database thread, since a sync may take minutes and a
patient's STOP must not wait for it.
"""

import threading
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from companion.clinics.refusals import Conflict
from companion.patients.sources import sync
from companion.service.clock import database_now

log = structlog.get_logger(__name__)
LOOK_SECONDS: Final = 5.0
"""How soon a sync that somebody asked for is taken up."""


class SyncLoop:
    """One thread, one connection."""

    def __init__(self, every: float = LOOK_SECONDS) -> None:
        self._every: Final = every
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Ends; a sync that is under way longer is left, and the next start's takes its work up."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            close_old_connections()
            try:
                self._look()
            except (OperationalError, InterfaceError) as error:
                log.warning("syncing waits for the database", error=type(error).__name__)
                connection.close()
            self._stop.wait(self._every)
        connection.close()

    def _look(self) -> None:
        for row in sync.due(now=database_now()):
            if self._stop.is_set():
                return
            try:
                sync.sync(row.clinic, clock=database_now)
            except Conflict as why:
                log.info("a sync was left out", clinic=str(row.clinic_id), why=str(why))
