"""Alerts about an outage of the database. They use a list of admins in memory, since the database can't be read then.

No row can ensure that each alert is sent once, so a lock in the data folder does: one process on each host sends them.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from companion.clinics.ids import new_id
from companion.clinics.models import Clinic
from companion.panel import judge, maintenance, notices
from companion.service import mailing
from companion.service.outages import Trouble
from companion.service.process import AlreadyRunning, hold_lock
from companion.webhooks import payload, webhooks
from companion.webhooks.models import Kind, Webhook

log = structlog.stdlib.get_logger(__name__)
PATIENCE: Final = dt.timedelta(minutes=1)
"""The time that an outage must last before an alert is sent. A restart of the database takes less."""
_TRIES: Final = 5
_GONE: Final = judge.no_database(Trouble.GONE)
_CAUSE: Final = _GONE.cause.value
_Way = Callable[[str, dt.datetime], str]
"""A function that sends an alert about an event; returns "" or the reason for the failure."""


class _Recipient(NamedTuple):
    """A way to send alerts, and the end of the clinic's maintenance window, if a window is open."""

    way: _Way
    quiet_until: dt.datetime | None


@dataclass(slots=True)
class Outage:
    """A process's memory of the recipients, and of the current outage."""

    folder: Path
    _recipients: list[_Recipient] = field(default_factory=list)
    _since: dt.datetime | None = None
    _waiting: list[_Way] | None = None
    """The recipients who still get the alert; None: no alert was sent yet."""
    _told: list[_Way] = field(default_factory=list)
    _tries: int = 0
    _held: ExitStack = field(default_factory=ExitStack)

    def remember(self, *, now: dt.datetime) -> None:
        """Remember the recipients of alerts. Call it while the database works. Raises django.db.Error."""
        found: list[_Recipient] = []
        for clinic in Clinic.objects.filter(archived_at=None).order_by("id"):
            ways: list[_Way] = []
            window = maintenance.current(clinic, now=now)
            if mailing.possible():
                ways += [_by_email(clinic, address) for address in notices.addresses(clinic)]
            wanting = webhooks.wanting(clinic, Kind.ALERT).values_list("pk", flat=True)
            ways += [_by_webhook(hook) for id in wanting if (hook := webhooks.opened(id))]
            found += [_Recipient(way, window.until if window else None) for way in ways]
        self._recipients = found

    def lasts(self, now: dt.datetime) -> None:
        """Note that the outage continues, and send alerts in time. Takes seconds for each mail server that hangs."""
        self._since = self._since or now
        ways = [way for way, quiet_until in self._recipients if quiet_until is None or quiet_until <= now]
        if now - self._since < PATIENCE or not ways:
            return
        if self._waiting is None:
            try:
                self._held.enter_context(hold_lock(self.folder / "outage.lock"))
            except (AlreadyRunning, OSError):
                return
            self._waiting, self._tries = ways, 0
        if self._waiting and self._tries < _TRIES:
            self._tries += 1
            left = _still_to_tell(self._waiting, "opened", now)
            self._told += [way for way in self._waiting if way not in left]
            self._waiting = left

    def over(self, now: dt.datetime) -> None:
        """Note that the outage is over, and tell the people who got the alert."""
        _still_to_tell(self._told, "recovered", now)
        self._since, self._waiting, self._told = None, None, []
        self._held.close()


def _still_to_tell(ways: list[_Way], event: str, now: dt.datetime) -> list[_Way]:
    left = []
    for way in ways:
        if error := way(event, now):
            log.warning("an alert could not be sent", why=error)
            left.append(way)
    return left


def _by_email(clinic: Clinic, address: str) -> _Way:
    thread = new_id()

    def tell(event: str, _now: dt.datetime) -> str:
        title, words = notices.TITLES[event], _GONE.words
        return mailing.send(notices.mail_of(clinic, address, title, words, cause=_CAUSE, name=new_id(), thread=thread))

    return tell


def _by_webhook(hook: Webhook) -> _Way:
    alert = new_id()

    def tell(event: str, now: dt.datetime) -> str:
        more = notices.more_of(event, _CAUSE, "ok" if event == "recovered" else "down")
        return webhooks.call_once(hook, payload.of_alert(alert, _CAUSE, more, at=now), at=now)

    return tell
