"""Remind a patient once if no answer came in time, and show the patient to staff.

`Message.answer_by` is set when the Message is sent; an index holds only the Messages that wait. Several listeners may
do this work: only one of them succeeds with the guarded UPDATE that clears `answer_by`. The reminder is made in the
same transaction, so that a crash neither repeats nor loses it.
"""

import asyncio
import datetime as dt
import uuid
from typing import Final

import structlog
from django.db import transaction

from companion.delivery import following
from companion.listener import inbox
from companion.listener.database import Database
from companion.listener.words import Word, say
from companion.patients.models import Consent, Patient
from companion.patients.pausing import is_paused
from companion.schedules.models import Follow, Message, Schedule, State, Status
from companion.service.clock import database_now
from companion.service.error_place import kind_and_place
from companion.service.outages import Hindrance

log = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 5.0
AT_ONCE: Final = 20
"""The largest number of Messages in one turn, so that what patients write doesn't wait for a thousand reminders."""


class Unanswered:
    """A task that looks for Messages without an answer until it is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            done = await self._database.patiently(_work_off)
            if done < AT_ONCE:
                await asyncio.sleep(EVERY_SECONDS)


def work_off(*, now: dt.datetime, limit: int = AT_ONCE) -> int:
    """Handle Messages whose time for an answer is over, the longest waiting first, and return their number."""
    waiting = Message.objects.filter(answer_by__lte=now).order_by("answer_by")
    over = list(waiting.values_list("id", flat=True)[:limit])
    for message_id in over:
        try:
            with transaction.atomic():
                _work_off_one(message_id, now)
        except Exception as error:
            if Hindrance.of(error):
                raise
            # An error with one Message must delay neither other Messages nor a STOP.
            log.error("a reminder after no answer failed", message=str(message_id), **kind_and_place(error))  # noqa: TRY400
            with transaction.atomic():
                _only_show(message_id, now)
    return len(over)


def _only_show(message_id: uuid.UUID, now: dt.datetime) -> None:
    """Show the patient to staff without a reminder, and without reading the text: the text may be the error's cause."""
    message = Message.objects.filter(pk=message_id).select_related("clinic", "patient").defer("text").get()
    Message.objects.filter(pk=message_id).update(answer_by=None)
    if message.patient:
        inbox.show_unanswered(message, message.patient.telegram_id or 0, now=now)


def _work_off_one(message_id: uuid.UUID, now: dt.datetime) -> None:
    message = following.locked(Message.objects.filter(pk=message_id, answer_by__lte=now).select_related("clinic"))
    if message is None or message.answer_by is None or message.version is None:
        return
    since = message.answer_by
    if not Message.objects.filter(pk=message_id, answer_by=since).update(answer_by=None):
        return
    patient, schedule = message.patient, message.version.schedule
    if patient is None or patient.left_at or patient.consent == Consent.WITHDRAWN or schedule.state == State.CANCELLED:
        return
    if _may_remind(message, patient, schedule, since, now):
        before = f"{say(Word.NO_ANSWER_YET, patient.language)}\n\n"
        following.say_again(message, Follow.REMINDER, due_at=since, now=now, before=before)
    inbox.show_unanswered(message, patient.telegram_id or 0, now=now)


def _may_remind(message: Message, patient: Patient, schedule: Schedule, since: dt.datetime, now: dt.datetime) -> bool:
    """Return whether a reminder still makes sense: it is in time, nothing is paused, and no newer Message is due."""
    if now - since >= schedule.late_after or schedule.state == State.PAUSED or is_paused(patient, now):
        return False
    newer = Message.objects.filter(schedule=schedule, patient=patient, occurrence__gt=message.occurrence)
    return not newer.filter(due_at__lte=now).exclude(status=Status.CANCELLED).exists()


def _work_off() -> int:
    return work_off(now=database_now())
