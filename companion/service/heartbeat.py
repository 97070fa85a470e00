"""A thread that writes this process's Heartbeat, even if the process is busy, and reports to the supervisor.

The panel judges the heartbeats.
"""

import datetime as dt
import os
import socket
import threading
import uuid
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import structlog
from django.db import Error, close_old_connections, connection, transaction
from django.db.models import QuerySet
from uuid_utils.compat import uuid7

from companion.journal import writing
from companion.journal.entries import Peers
from companion.journal.writing import JournalGone
from companion.service import metrics, watchdog
from companion.service.clock import database_now
from companion.service.key_ring import KeyFileWatch, ring
from companion.service.models import Heartbeat, Kind
from companion.service.outages import Hindrance
from companion.service.timeouts import database_within

log = structlog.stdlib.get_logger(__name__)
BEAT_SECONDS: Final = 5.0
_FORGET_AFTER: Final = dt.timedelta(days=1)
_STOP_SECONDS: Final = 5.0
_TURN_SECONDS: Final = 1.0
_WRITE_SECONDS: Final = 4.0
LIVING: Final = dt.timedelta(minutes=1)
"""The largest age of a heartbeat at which its service counts as running, also if the service is very busy."""
_SIGN_AGAIN: Final = dt.timedelta(minutes=1)


class Heart:
    """A thread that writes a Heartbeat every 5 s from `start` on, and removes it at `stop`.

    It survives outages of the database. `state` and `health_url` are called at each beat, in this thread.
    `in_main_loop` lets the service's main loop call a function. If the main loop doesn't call it, the process hangs,
    and the supervisor isn't told that the process is alive.
    """

    def __init__(
        self,
        kind: str,
        *,
        state: Callable[[], dict[str, object]],
        health_url: Callable[[], str],
        in_main_loop: Callable[[Callable[[], None]], object],
        seconds: float = BEAT_SECONDS,
    ) -> None:
        self._kind, self._state, self._health_url, self._seconds = kind, state, health_url, seconds
        self._id: uuid.UUID = uuid7()
        self._started_at: dt.datetime | None = None
        self._in_main_loop = in_main_loop
        self._turned = threading.Event()
        self._asked = self._was_ready = False
        self._signed: tuple[dt.datetime, list[str]] = dt.datetime.min.replace(tzinfo=dt.UTC), []
        self._hindered: Hindrance | None = None
        self._keys = KeyFileWatch()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Write the first Heartbeat now, and then one every 5 s."""
        self._thread.start()

    def stop(self) -> None:
        """Remove the Heartbeat. Returns after at most five seconds, even if the database doesn't answer."""
        self._stop.set()
        self._thread.join(_STOP_SECONDS)

    def hindered(self) -> Hindrance | None:
        """The reason why this process can't write its Heartbeat; None if it can."""
        return self._hindered

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._try(self._beat)
                self._tell_life()
                self._stop.wait(self._seconds)
            self._try(self._remove)
        finally:
            connection.close()

    def _tell_life(self) -> None:
        """Tell the supervisor that this process is alive, if its main loop runs, also in an outage of the database."""
        if not self._asked:
            self._in_main_loop(self._turned.set)
            self._asked = True
        if self._turned.wait(_TURN_SECONDS):
            self._turned.clear()
            watchdog.tell(*([] if self._was_ready else [watchdog.READY]), watchdog.ALIVE)
            self._asked, self._was_ready = False, True

    def _try(self, write: Callable[[], None]) -> None:
        close_old_connections()
        try:
            with database_within(_WRITE_SECONDS):
                write()
        except Error as error:
            hindered = Hindrance.of(error) or Hindrance("the database refuses the heartbeat", None)
            if hindered != self._hindered:
                log.warning("no heartbeat", why=hindered.clause, error=type(error).__name__)
            self._hindered = hindered
            metrics.DATABASE_UP.set(0)
            connection.close()
        else:
            if self._hindered:
                log.info("the heart beats again")
            self._hindered = None
            metrics.DATABASE_UP.set(1)

    def _beat(self) -> None:
        now = database_now()
        self._started_at = self._started_at or now
        kept = writing.folder_id()
        self._keys.adopt_changes()
        known = ring().ids
        state = self._state() | {"key": known[0], "keys": known} | ({"journal": kept} if kept else {})
        says = {"beat_at": now, "health_url": self._health_url(), "state": state}
        with transaction.atomic():
            # The row is missing at the first beat, and after a restore of the database.
            if not Heartbeat.objects.filter(id=self._id).update(**says):
                Heartbeat.objects.create(**self._who(), started_at=self._started_at, **says)
            Heartbeat.objects.filter(beat_at__lt=now - _FORGET_AFTER).delete()
        if kept:
            self._sign(now)

    def _sign(self, now: dt.datetime) -> None:
        """Write into the Journal that this process is running, and the names of all services' Journals.

        By these lines a restore notices if a Journal is missing that began after the backup, and if a Journal ends
        before the backup.
        """
        found = journals(now=now)
        if found == self._signed[1] and now - self._signed[0] < _SIGN_AGAIN:
            return
        try:
            writing.write(Peers(now, found))
        except JournalGone:
            # Health reports this already, and nothing is sent until it is solved. The next beat tries again.
            return
        self._signed = now, found

    def _who(self) -> dict[str, object]:
        return {
            "id": self._id,
            "kind": self._kind,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": _version(),
        }

    def _remove(self) -> None:
        Heartbeat.objects.filter(id=self._id).delete()


def journals(*, now: dt.datetime) -> list[str]:
    """The ids of the Journal folders of running dispatchers and listeners; "" for a service without a Journal."""
    journaling = living(now=now).filter(kind__in=[Kind.DISPATCHER, Kind.LISTENER])
    return sorted({str(state.get("journal") or "") for state in journaling.values_list("state", flat=True)})


def living(*, now: dt.datetime) -> QuerySet[Heartbeat]:
    """The services that count as running."""
    return Heartbeat.objects.filter(beat_at__gt=now - LIVING)


def _version() -> str:
    try:
        return version("companion")
    except PackageNotFoundError:
        return "not installed"
