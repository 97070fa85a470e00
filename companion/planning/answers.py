"""Answers to a chat that are due at once: from the listener, from staff in the inbox, or from an alert.

This module only stores them. The dispatcher sends them like any other Message.
"""

import datetime as dt
import uuid
from typing import Final

from django.db import IntegrityError, transaction

from companion.clinics import audit, opt_outs
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.delivery import lifecycle
from companion.patients.models import Consent, Patient
from companion.patients.pausing import is_paused, paused_words
from companion.planning import acts
from companion.schedules.models import LATE_AFTER, Lane, Message, Quiet
from companion.schedules.text import as_typed
from companion.service.wake import ring

CHAT_STOPPED: Final = "This chat opted out with STOP: nothing can be sent. Pressing Start in the chat opens it again."


def answer(
    clinic: Clinic,
    *,
    telegram_id: int,
    patient: Patient | None,
    text: str,
    now: dt.datetime,
    lane: Lane | None = None,
    buttons: list[list[dict[str, str]]] | None = None,
    stop_or_start: bool = False,
) -> Message:
    """Store an answer that is due at once, in the caller's transaction.

    `text` may hold placeholders. Without `lane` it goes to the lane for answers, or to the lane for strangers if there
    is no patient. `stop_or_start`: the text answers a STOP or Start, so it also goes to a chat that has opted out.
    `buttons` are Telegram's rows of {text, callback_data}.
    """
    if lane is None:
        lane = Lane.ANSWER if patient else Lane.STRANGER
    message = _leaving_at_once(
        now=now,
        clinic=clinic,
        patient=patient,
        telegram_id=telegram_id,
        lane=lane,
        text=text,
        buttons=buttons,
        answers_stop_or_start=stop_or_start,
    )
    message.save(force_insert=True)
    ring()
    return message


def from_member(
    caller: Caller,
    patient: Patient | None,
    telegram_id: int,
    text: str,
    *,
    they_wrote: bool,
    now: dt.datetime,
    id: uuid.UUID | None = None,
) -> Message:
    """Store a member's answer, due at once. A second call with the same `id` returns the Message of the first call.

    `patient` None: a stranger with this `telegram_id`. `they_wrote`: the patient wrote first, so the answer goes before
    other messages, and also during a pause. Raises Refused for a wrong text, and Conflict if the patient can't or must
    not get messages, or if another Message has the `id`.
    """
    caller.needs(Role.PROVIDER)
    if id and (before := Message.objects.filter(clinic=caller.clinic, patient=patient, pk=id).first()):
        return before
    if why := answer_obstacle(caller.clinic, patient, telegram_id, they_wrote=they_wrote, now=now):
        raise Conflict(why)
    text = as_typed(text)
    message = _leaving_at_once(
        now=now,
        clinic=caller.clinic,
        patient=patient,
        telegram_id=None if patient else telegram_id,
        lane=_lane(patient, they_wrote=they_wrote),
        text=text,
        created_by_kind=caller.kind,
        created_by_name=caller.name,
        **({"id": id} if id else {}),
    )
    if problems := acts.problems_in(message, text):
        raise Refused(*(Problem("text", sentence) for sentence in problems))
    _insert(message)
    changes = acts.audited_of_new(message)
    audit.record(caller, "answered from the inbox", "message", message.pk, now=now, changes=changes)
    ring()
    return message


def _insert(message: Message) -> None:
    """Save a new Message. Raises Conflict if its id is taken already."""
    try:
        with transaction.atomic():
            message.save(force_insert=True)
    except IntegrityError:
        raise Conflict("This form was used for another answer. Open the conversation again.") from None


def _leaving_at_once(*, now: dt.datetime, **fields: object) -> Message:
    """Build a Message that leaves at once; the caller saves it."""
    return Message(
        due_at=now, ready_at=now, late_at=now + LATE_AFTER, quiet_hours=Quiet.IGNORE, created_at=now, **fields
    )


def _lane(patient: Patient | None, *, they_wrote: bool) -> Lane:
    if patient is None:
        return Lane.STRANGER
    return Lane.ANSWER if they_wrote else Lane.REMINDER


def answer_obstacle(
    clinic: Clinic, patient: Patient | None, telegram_id: int, *, they_wrote: bool, now: dt.datetime
) -> str:
    """Return why this patient, or the stranger in this chat, can't be answered, and what to do; empty if they can."""
    if patient is None:
        return CHAT_STOPPED if opt_outs.has_stopped(clinic, telegram_id) else ""
    if patient.left_at is not None:
        return "The patient has left the clinic's directory. Nothing can be sent."
    if patient.consent == Consent.WITHDRAWN or opt_outs.has_stopped(clinic, patient.telegram_id):
        return "The patient opted out with STOP: nothing can be sent. Reach them another way."
    if patient.telegram_id is None:
        return "The patient's Telegram ID is no longer known. Hand out an enrolment link, or reach them another way."
    if not they_wrote and is_paused(patient, now):
        return f"The patient is {paused_words(patient)}. End the pause on the patient's page first."
    return ""


def silence(clinic: Clinic, telegram_id: int) -> None:
    """Hold back waiting answers to an earlier Start of this chat, which would otherwise pass the opt-out."""
    waiting = Message.objects.filter(clinic=clinic, telegram_id=telegram_id, lane__in=(Lane.ANSWER, Lane.STRANGER))
    lifecycle.move(waiting.filter(answers_stop_or_start=True), answers_stop_or_start=False)
