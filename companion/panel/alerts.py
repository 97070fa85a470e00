"""Tells admins when something is wrong with their clinic's sending, once for a cause, and when it is over again.

What is wrong is judge.py's to say. It goes to the admins who gave their Telegram ID, as Messages in the lane `answer`.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Q

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Closed, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.panel import facts, judge, standing
from companion.panel.facts import Facts
from companion.panel.models import Alert, AlertContact
from companion.patients.models import Patient
from companion.schedules.models import Lane, Message, Quiet
from companion.service.wake import ring

SETTLED: Final = dt.timedelta(seconds=20)
"""What is over sooner is told to nobody."""
CALM: Final = dt.timedelta(minutes=2)
"""Nothing is over before it was not seen for so long: what comes and goes is one alert."""
AGAIN: Final = dt.timedelta(minutes=30)
"""The same cause is told anew at the earliest so long after it was told last."""
SPIKE: Final = 20
"""So many failures for one reason within an hour are told of."""
LATE_AFTER: Final = dt.timedelta(hours=1)
_WORDS: Final = 500


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong: its name, and what happened and what to do."""

    name: str
    words: str


def causes(clinic: Clinic, read: Facts, *, now: dt.datetime) -> list[Cause]:
    """All that this clinic's admins should hear of, each cause once."""
    own = Facts(read.beats, tuple(one for one in read.clinics if one.clinic == clinic.id))
    found = [Cause(_name(own, now), one.words) for one in judge.findings(own, now=now)[:1]]
    return [*found, *_spikes(clinic, now)]


def step(clinic: Clinic, found: list[Cause], *, now: dt.datetime) -> None:
    """Opens, tells and closes the clinic's alerts. Several processes may do so at once: each thing is told once."""
    for cause in found:
        with transaction.atomic():
            _see(clinic, cause, now)
    for alert in Alert.objects.filter(clinic=clinic, closed_at=None):
        with transaction.atomic():
            _tell(clinic, alert, now)


def look(clinic: Clinic, *, now: dt.datetime) -> None:
    """One round for one clinic."""
    step(clinic, causes(clinic, facts.read(now=now), now=now), now=now)


def open_alerts(clinic: Clinic) -> list[Alert]:
    """What is wrong now, the newest first."""
    return list(Alert.objects.filter(clinic=clinic, closed_at=None).order_by("-opened_at"))


def hear(caller: Caller, telegram_id: int | None, *, now: dt.datetime) -> None:
    """The calling admin hears of alerts under this Telegram ID, or (None) no more. Raises Refused, and Conflict."""
    caller.needs(Role.ADMIN)
    if caller.kind != "member" or caller.id is None:
        raise Conflict("Only a person can hear of alerts.")
    if telegram_id is not None and not 0 < telegram_id < 2**52:
        raise Refused(Problem("telegram_id", "A Telegram ID is a positive number; @userinfobot tells yours."))
    if telegram_id is not None and Patient.objects.filter(clinic=caller.clinic, telegram_id=telegram_id).exists():
        raise Refused(Problem("telegram_id", "This is a patient's Telegram ID. Alerts go to admins only."))
    with transaction.atomic():
        if telegram_id is None:
            AlertContact.objects.filter(clinic=caller.clinic, member_id=caller.id).delete()
        else:
            AlertContact.objects.update_or_create(
                member_id=caller.id, defaults={"clinic": caller.clinic, "telegram_id": telegram_id}
            )
        audit.record(caller, "alerts' Telegram ID changed", "member", caller.id, now=now)


def contact_of(caller: Caller) -> AlertContact | None:
    """Under which Telegram ID the caller hears of alerts; None: under none."""
    if caller.kind != "member" or caller.id is None:
        return None
    return AlertContact.objects.filter(clinic=caller.clinic, member_id=caller.id).first()


def test_message(caller: Caller, *, now: dt.datetime) -> None:
    """Sends the calling admin a message, by the way that all take. Raises Conflict where no Telegram ID is known."""
    caller.needs(Role.ADMIN)
    contact = contact_of(caller)
    if contact is None:
        raise Conflict("Give your own Telegram ID first.")
    with transaction.atomic():
        _send(caller.clinic, contact, "This is a test from the Control Panel: sending works.", now)
        audit.record(caller, "test message sent", "member", caller.id, now=now)
        ring()


def _name(own: Facts, now: dt.datetime) -> str:
    """The cause behind the worst finding, named so that the words' numbers may change and it stays one."""
    sending = own.clinics[0] if own.clinics else None
    if sending and sending.closed_why == Closed.UNAUTHORIZED:
        return "bot_unauthorized"
    if sending and judge.overdue_since(sending, now=now):
        return "overdue"
    return "health"


def _spikes(clinic: Clinic, now: dt.datetime) -> list[Cause]:
    return [
        Cause(f"failed:{one.code}", f"{one.count} messages failed within an hour: {one.label}. {one.sentence}")
        for one in standing.failures(clinic, now=now, within=dt.timedelta(hours=1))
        if one.count >= SPIKE
    ]


def _see(clinic: Clinic, cause: Cause, now: dt.datetime) -> None:
    seen = Alert.objects.filter(clinic=clinic, cause=cause.name, closed_at=None)
    if not seen.update(seen_at=now, words=cause.words[:_WORDS]):
        Alert.objects.bulk_create(
            [Alert(clinic=clinic, cause=cause.name, words=cause.words[:_WORDS], opened_at=now, seen_at=now)],
            ignore_conflicts=True,
        )


def _tell(clinic: Clinic, alert: Alert, now: dt.datetime) -> None:
    """Says that it is there, or over. The guarded updates let one of several processes do so."""
    own = Alert.objects.filter(pk=alert.pk, closed_at=None)
    if now - alert.seen_at >= CALM:
        if own.update(closed_at=now) and alert.told_at:
            _send_all(clinic, f"Recovered: {alert.words}", now)
    elif alert.told_at is None and now - alert.opened_at >= SETTLED:
        lately = Q(told_at__gt=now - AGAIN)
        if Alert.objects.filter(lately, clinic=clinic, cause=alert.cause).exists():
            return
        if own.filter(told_at=None).update(told_at=now):
            _send_all(clinic, alert.words, now)


def _send_all(clinic: Clinic, words: str, now: dt.datetime) -> None:
    admins = AlertContact.objects.filter(clinic=clinic, member__role=Role.ADMIN)
    for contact in admins:
        _send(clinic, contact, words, now)
    ring()


def _send(clinic: Clinic, contact: AlertContact, words: str, now: dt.datetime) -> None:
    Message.objects.create(
        clinic=clinic,
        telegram_id=contact.telegram_id,
        lane=Lane.ANSWER,
        due_at=now,
        ready_at=now,
        late_at=now + LATE_AFTER,
        quiet_hours=Quiet.IGNORE,
        # A brace would begin a placeholder.
        text=words.replace("{", "{{").replace("}", "}}"),
        created_at=now,
    )
