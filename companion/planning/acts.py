"""A person's acts on one Message: cancel, send now, retry, edit. Each act is audited and wakes the dispatchers.

lifecycle.py makes the guarded updates. This module holds the rules, and the sentences for a person who is too late.
"""

import datetime as dt
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.delivery import lifecycle
from companion.patients.pausing import is_paused, paused_words
from companion.planning import lengths, occurrences
from companion.schedules import queries, text, wording
from companion.schedules.models import Message, Quiet, Status
from companion.schedules.reasons import Reason
from companion.service.wake import ring
from companion.times.quiet import quiet_until

LAST_INSTANT: Final = dt.datetime(2101, 1, 1, tzinfo=dt.UTC)
_AUDITED: Final = ("status", "reason", "due_at", "quiet_hours")
"""The columns whose changes the audit trail records. Of the text it records only that it changed."""


@transaction.atomic
def cancel(caller: Caller, message: Message, *, now: dt.datetime) -> Message:
    """Cancel a pending Message. Raises Conflict if it is on its way, sent or over."""
    caller.needs(Role.PROVIDER)
    if not lifecycle.stop(_only(caller, message), Reason.BY_PERSON, now=now):
        raise Conflict(_too_late_for(message, "cancelled"))
    return _done(caller, message, "message cancelled", now)


@transaction.atomic
def send_now(caller: Caller, message: Message, *, now: dt.datetime) -> Message:
    """Send a Message at once, also in quiet hours, but never against consent. Raises Conflict unless it is pending."""
    caller.needs(Role.PROVIDER)
    _not_to_a_paused_patient(message, now)
    columns = _due(message, now) | {"quiet_hours": Quiet.IGNORE, "by_hand": True}
    if not lifecycle.move(_only(caller, message), **columns):
        raise Conflict(_too_late_for(message, "sent now"))
    return _done(caller, message, "message sent now", now)


@transaction.atomic
def retry(caller: Caller, message: Message, *, now: dt.datetime, may_arrive_twice: bool = False) -> Message:
    """Try a failed Message again at once, also in quiet hours.

    Raises Conflict unless the Message failed. If its outcome is unknown, the caller must accept that it may arrive
    twice.
    """
    caller.needs(Role.PROVIDER)
    message.refresh_from_db()
    _not_to_a_paused_patient(message, now)
    if message.reason == Reason.OUTCOME_UNKNOWN and not may_arrive_twice:
        raise Conflict(
            "The message may have arrived already. Ask the patient first. "
            "To send it nevertheless, confirm that it may arrive twice."
        )
    # The reason is part of the guard, so that a Message with another reason by now is not retried.
    failed = _only(caller, message).filter(reason=message.reason)
    if not lifecycle.reopen(failed, **_due(message, now), quiet_hours=Quiet.IGNORE, by_hand=True):
        raise Conflict(_too_late_for(message, "retried"))
    return _done(caller, message, "message retried", now)


@transaction.atomic
def retry_again(caller: Caller, message: Message, *, now: dt.datetime, may_arrive_twice: bool = False) -> bool:
    """Retry one of many Messages, in keeping with its quiet hours. Returns whether it was reopened.

    If its outcome is unknown, nothing happens unless the caller accepts that it may arrive twice.
    """
    caller.needs(Role.PROVIDER)
    failed = _only(caller, message)
    if not may_arrive_twice:
        failed = failed.exclude(reason=Reason.OUTCOME_UNKNOWN)
    if not lifecycle.reopen(failed, **_due(message, now), by_hand=True):
        return False
    _done(caller, message, "message retried", now)
    return True


@transaction.atomic
def edit(
    caller: Caller,
    message: Message,
    *,
    now: dt.datetime,
    new_text: str | None = None,
    send_at: dt.datetime | None = None,
) -> Message:
    """Change a pending Message's text, time or both. Raises Refused for wrong values, Conflict if it isn't pending."""
    caller.needs(Role.PROVIDER)
    columns: dict[str, object] = {"by_hand": True}
    problems: list[Problem] = []
    if new_text is not None:
        columns["text"] = new_text = text.as_typed(new_text)
    if send_at is not None:
        problems += check_send_at(send_at, now, message.late_at - message.due_at)
        columns |= _due(message, send_at)
    # The date in the text may be longer at another time.
    at = None if problems else send_at
    template = wording.template_of(message) if new_text is None else new_text
    problems += [Problem("text", sentence) for sentence in problems_in(message, template, at=at)]
    if problems:
        raise Refused(*problems)
    if not lifecycle.move(_only(caller, message), **columns):
        raise Conflict(_too_late_for(message, "edited"))
    return _done(caller, message, "message edited", now, worded=new_text not in (None, message.text))


def problems_in(message: Message, new_text: str, *, at: dt.datetime | None = None) -> list[str]:
    """Return the problems of this text for the Message's patient. `at`: the instant of sending (default: when due)."""
    if problems := text.problems_of(new_text):
        return problems
    reminds = message.schedule is not None and message.schedule.answer_within is not None
    template = lengths.with_room(new_text, reminds=reminds)
    sentence = text.too_long(wording.filled(message, at=_awake(message, at or message.due_at), template=template))
    return [sentence] if sentence else []


def _awake(message: Message, at: dt.datetime) -> dt.datetime:
    """Return the end of quiet hours if the Message waits for it, else the instant itself."""
    if message.quiet_hours != Quiet.WAIT or message.patient is None:
        return at
    return quiet_until(at, message.patient.timezone, occurrences.times_of(message.clinic).quiet) or at


def check_send_at(send_at: dt.datetime, now: dt.datetime, late_after: dt.timedelta) -> list[Problem]:
    """Check an instant of sending. It may be in the past by `late_after` at most."""
    if send_at.tzinfo is None:
        return [Problem("send_at", "Give the time with its offset from UTC, as in 2026-12-01T09:00:00+01:00.")]
    if send_at >= LAST_INSTANT:
        return [Problem("send_at", "The year must not be later than 2100.")]
    if send_at + late_after <= now:
        return [Problem("send_at", "This time is over. Choose a later time, or leave it out to send at once.")]
    return []


def _not_to_a_paused_patient(message: Message, now: dt.datetime) -> None:
    if message.patient and is_paused(message.patient, now):
        raise Conflict(f"The patient is {paused_words(message.patient)}. End the pause on the patient's page first.")


def _only(caller: Caller, message: Message) -> QuerySet[Message]:
    return Message.objects.filter(clinic=caller.clinic, pk=message.pk)


def _due(message: Message, at: dt.datetime) -> dict[str, object]:
    late_at = at + (message.late_at - message.due_at)
    return {"due_at": at, "ready_at": at, "late_at": late_at, "time_by_hand": True}


def _done(caller: Caller, message: Message, action: str, now: dt.datetime, *, worded: bool = False) -> Message:
    """Audit the act on the message, which is as it was before it; `worded`: it has another text now."""
    was = audit.columns(message, _AUDITED)
    message.refresh_from_db()
    changes = audit.differences(was, audit.columns(message, _AUDITED))
    if worded:
        changes = {**changes, "text": audit.CHANGED}
    audit.record(caller, action, "message", message.pk, now=now, changes=changes)
    ring()
    return message


def audited_of_new(message: Message) -> audit.Changes:
    """Return the values of a message that a person has written, as the audit trail has them."""
    return audit.differences({}, {**audit.columns(message, ("due_at", "lane")), "text": True}, veiled=("text",))


def _too_late_for(message: Message, wish: str) -> str:
    message.refresh_from_db()
    if queries.on_its_way(message):
        return f"The message is on its way to Telegram: it can no longer be {wish}."
    return f"The message is {Status(message.status).label.lower()}: it can't be {wish}."
