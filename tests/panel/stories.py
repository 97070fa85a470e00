"""Values that tests of the Control Panel start from: all is well except what the test changes."""

import datetime as dt
import uuid
from dataclasses import replace
from typing import Final

from companion.clinics.models import Clinic
from companion.panel import diagnostics
from companion.panel.check import CheckResult
from companion.panel.facts import Beat, Facts, Sending
from companion.service.models import Heartbeat, Kind
from tests.builders import NOW

CLINIC: Final = uuid.UUID("01940000-0000-7000-8000-000000000001")


def ago(**length: float) -> dt.datetime:
    """Return the instant this long before NOW."""
    return NOW - dt.timedelta(**length)


def beat(kind: Kind, *, seconds: float = 2, **state: object) -> Beat:
    """A process whose last heartbeat was this number of seconds ago."""
    return Beat(
        kind.value,
        "host",
        1,
        "0.1.0",
        "http://127.0.0.1:1/",
        ago(hours=2, seconds=seconds),
        ago(seconds=seconds),
        state,
    )


def all_alive() -> tuple[Beat, ...]:
    """A process of each kind."""
    return tuple(beat(kind) for kind in Kind)


def sending(
    *,
    has_bot: bool = True,
    paused: bool = False,
    restored: bool = False,
    closed_why: str = "",
    closed_until: dt.datetime | None = None,
    reminder_since: dt.datetime | None = None,
    other_since: dt.datetime | None = None,
    attempted_at: dt.datetime | None = None,
    marked_since: dt.datetime | None = None,
    other_reader: str = "",
) -> Sending:
    """A clinic with a bot that may send at once."""
    return Sending(
        clinic=CLINIC,
        has_bot=has_bot,
        bot_of_other_mode=False,
        paused=paused,
        restored=restored,
        closed_why=closed_why,
        closed_until=closed_until,
        reminder_since=reminder_since,
        other_since=other_since,
        attempted_at=attempted_at,
        marked_since=marked_since,
        other_reader=other_reader,
    )


def facts(clinic: Sending | None = None, beats: tuple[Beat, ...] | None = None) -> Facts:
    """Return the facts of a database with one clinic, whose services all work."""
    return Facts(all_alive() if beats is None else beats, (clinic or sending(),))


def of_the_sandbox(clinic: Sending) -> Sending:
    """Return the clinic with a bot that can't send, because the Sandbox is off."""
    return replace(clinic, has_bot=False, bot_of_other_mode=True)


def a_heartbeat(kind: Kind, *, seconds: float = 2, health_url: str = "http://127.0.0.1:1/", **state: object) -> None:
    """The row of a process whose last heartbeat was this number of seconds ago."""
    Heartbeat.objects.create(
        id=uuid.uuid4(),
        kind=kind,
        host="host",
        pid=1,
        version="0.1.0",
        started_at=ago(hours=2, seconds=seconds),
        beat_at=ago(seconds=seconds),
        health_url=health_url,
        state=state,
    )


def check(name: str, clinic: Clinic | None = None) -> CheckResult:
    """Run all checks at NOW, and return the check of this name, or else the first whose name begins so."""
    results = diagnostics.run(clinic, now=NOW)
    exactly = [checked for checked in results if checked.name == name]
    return next(checked for checked in [*exactly, *results] if checked.name.startswith(name))
