"""Messages of unknown outcome among messages whose numbers are known, and the steps that look for their traces."""

import datetime as dt

from django.db import transaction

from companion.clinics.models import Bot, Clinic
from companion.delivery import settling
from companion.delivery.begin import Limits
from companion.delivery.settling import Question, Search, Step
from companion.schedules.models import AttemptOutcome, IfUnknown, Message, Schedule, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_message, a_patient, an_attempt

LEASE = dt.timedelta(seconds=60)
MINUTE = dt.timedelta(minutes=1)
LATER = NOW + 10 * MINUTE
"""Well after the lease."""


def step(bot: Bot, *skipped: Step, now: dt.datetime = LATER) -> Step | None:
    limits = Limits(gap=dt.timedelta(seconds=1 / 29), chat_gap=dt.timedelta(seconds=1))
    with transaction.atomic():
        search = Search(bot.id, [step.attempt for step in skipped], LEASE, limits)
        return settling.next_step(search, now=now)


def asked(bot: Bot, now: dt.datetime = LATER) -> Question:
    found = step(bot, now=now)
    assert found
    assert found.question
    return found.question


def found_here(question: Question, bot: Bot, now: dt.datetime = LATER) -> bool:
    limits = Limits(gap=dt.timedelta(), chat_gap=dt.timedelta())
    with transaction.atomic():
        return settling.found_here(question, Search(bot.id, [], LEASE, limits), now=now)


def sent(clinic: Clinic, number: int, minutes: float, **fields: object) -> Message:
    """A message that Telegram took under this number, so many minutes after NOW."""
    at = NOW + minutes * MINUTE
    patient = a_patient(clinic)
    columns = {"status": Status.SENT, "sent_at": at, "ended_at": at, "telegram_message_id": number}
    message = a_message(patient, None, due_at=at, tries=1, **columns | fields)
    an_attempt(message, began_at=at, ended_at=at, telegram_message_id=number, telegram_id=patient.telegram_id)
    return message


def unknown(
    clinic: Clinic, chat: int | None = None, at: dt.datetime = NOW, schedule: Schedule | None = None, **fields: object
) -> Message:
    """A message whose answer was cut off."""
    patient = a_patient(clinic, "Ana Silva", **({"telegram_id": chat, "caregiver": "Eva"} if chat else {}))
    ended = {"status": Status.FAILED, "reason": Reason.OUTCOME_UNKNOWN, "ended_at": at}
    message = a_message(patient, schedule, due_at=at, tries=1, **ended | fields)
    outcome = {"outcome": AttemptOutcome.UNKNOWN, "began_at": at, "ended_at": at, "text": "Your results are here."}
    an_attempt(message, telegram_id=patient.telegram_id, **outcome)
    return message


def waits_to_be_resent(clinic: Clinic, until: dt.datetime) -> Message:
    """A message whose answer was cut off, and which its schedule wants to be sent again."""
    message = unknown(clinic, if_unknown=IfUnknown.RESEND)
    waiting = {"status": Status.PENDING, "reason": "", "ended_at": None, "resends": 1, "ready_at": until}
    Message.objects.filter(pk=message.pk).update(**waiting)
    return message


def a_gap(clinic: Clinic, size: int = 1) -> None:
    """The numbers 101 up to `size` of them are unaccounted for."""
    sent(clinic, 100, -5)
    sent(clinic, 101 + size, 5)


def fresh(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)
