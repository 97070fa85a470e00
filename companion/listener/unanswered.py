"""Messages to which no answer came in time: one reminder for each, and the patient shown to staff.

The instant stands with the Message (`answer_by`), set when it was sent; an index holds only those that wait. Several
listeners may work at it: taking the instant away is the guarded UPDATE that lets one of them do the rest, in the same
transaction, so that no crash reminds twice or tells nobody.
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
from companion.service.away import AWAY
from companion.service.clock import database_now
from companion.service.mishap import kind_and_place

log = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 5.0
AT_ONCE: Final = 20
"""Worked off in one turn: what patients write doesn't wait for a thousand of these."""


class Unanswered:
    """Works off what was not answered, until it is cancelled."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    async def run(self) -> None:
        """Never returns."""
        while True:
            done = await self._database.patiently(_work_off, on_trouble=_quietly)
            if done < AT_ONCE:
                await asyncio.sleep(EVERY_SECONDS)


def work_off(*, now: dt.datetime, limit: int = AT_ONCE) -> int:
    """Works off those whose time is over, the longest waiting first; how many there were."""
    waiting = Message.objects.filter(answer_by__lte=now).order_by("answer_by")
    found = list(waiting.values_list("id", flat=True)[:limit])
    for message_id in found:
        try:
            with transaction.atomic():
                _work_off_one(message_id, now)
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001 (one that trips us must keep neither the others back nor a STOP)
            log.error("a reminder of no answer was left out", message=str(message_id), **kind_and_place(error))  # noqa: TRY400
            with transaction.atomic():
                _only_show(message_id, now)
    return len(found)


def _only_show(message_id: uuid.UUID, now: dt.datetime) -> None:
    """To staff, without a look at what it says."""
    message = Message.objects.filter(pk=message_id).select_related("clinic", "patient").defer("text").get()
    Message.objects.filter(pk=message_id).update(answer_by=None)
    if message.patient:
        inbox.unanswered(message, message.patient.telegram_id or 0, now=now)


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
    inbox.unanswered(message, patient.telegram_id or 0, now=now)


def _may_remind(message: Message, patient: Patient, schedule: Schedule, since: dt.datetime, now: dt.datetime) -> bool:
    """Not long after its time, not within a pause, and not once a newer one of the series has come."""
    if now - since >= schedule.late_after or schedule.state == State.PAUSED or is_paused(patient, now):
        return False
    newer = Message.objects.filter(schedule=schedule, patient=patient, occurrence__gt=message.occurrence)
    return not newer.filter(due_at__lte=now).exclude(status=Status.CANCELLED).exists()


def _work_off() -> int:
    return work_off(now=database_now())


def _quietly(_: str) -> None:
    """The pollers tell of the same database."""
