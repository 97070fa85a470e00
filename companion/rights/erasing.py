"""Erase a patient (GDPR, article 17), in one transaction.

The record that something was sent, when and by whom, stays without name and text. The chat's opt-out stays as a keyed
hash. Everything else is deleted or blanked. Not here: deleting the messages from Telegram (delivery/deleting.py,
dispatch/deleting.py).
"""

import datetime as dt
import json
import re
import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import FormerBot, Mark, OptOut, Role
from companion.clinics.refusals import Problem, Refused
from companion.delivery import deleting, lifecycle
from companion.delivery.deleting import NO_CHAT, Posted
from companion.listener.models import Reply
from companion.patients import former_patients, report_lines
from companion.patients.models import FormerChat, Patient, SyncRun
from companion.rights import copies, locking, own_rows
from companion.rights.copies import Erased
from companion.schedules.models import Attempt, AttemptOutcome, Message, Schedule, State, Version
from companion.schedules.reasons import Reason
from companion.service import old_pages

ERASED: Final = "(erased)"
"""The word that replaces every text."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The results of an erasure."""

    id: uuid.UUID
    kept: int
    """The number of messages that stay on record, without name and text."""
    cancelled: int
    to_delete: int
    """The number of messages that the dispatcher now deletes from Telegram."""


def erase(caller: Caller, patient: Patient, name: str, *, now: dt.datetime) -> Erasure:
    """Erase the patient if `name`, as the caller typed it, is the patient's name.

    Raises Refused for another name, Conflict while a message is on its way, Unknown, and NotAllowed for all but admins.
    """
    caller.needs(Role.ADMIN)
    with transaction.atomic():
        [locked] = locking.hold(caller, patient)
        if _comparable(name) != _comparable(locked.name):
            raise Refused(Problem("name", "This is not the patient's name. Type it as it is written above."))
        messages = own_rows.messages_of(locked)
        ids = locking.hold_messages(messages)
        own_ids = {locked.pk, *former_patients.ids_before(locked), *ids}
        erased = Erased(caller.clinic, frozenset(own_ids), frozenset(_schedules_of_nobody_else(locked)))
        to_delete = deleting.ask(caller.clinic, list(_posted(locked, messages, now)), now=now)
        cancelled = lifecycle.stop(messages, Reason.PATIENT_LEFT, now=now)
        _blank_plans(caller, locked, now)
        kept = _blank(messages)
        _delete_what_came_in(locked)
        _forget_numbers(locked)
        _forget_in_reports(locked)
        copies.forget(erased)
        former_patients.note_gone(locked, into=None, now=now)
        Mark.objects.filter(clinic=caller.clinic, subject_id=locked.pk).delete()
        locked.delete()
        counts = audit.differences({}, {"messages kept without text": kept, "messages cancelled": cancelled})
        changes = {"all that is known": audit.CHANGED, **counts}
        audit.record(caller, "patient erased", "patient", patient.pk, now=now, changes=changes)
        old_pages.empty_log_after_commit()
    return Erasure(patient.pk, kept, cancelled, to_delete)


def _comparable(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _schedules_of_nobody_else(patient: Patient) -> list[uuid.UUID]:
    return list(own_rows.schedules_of_nobody_else(patient).values_list("pk", flat=True))


def _posted(patient: Patient, messages: QuerySet[Message], now: dt.datetime) -> Iterator[Posted]:
    """Yield the messages of the last two days in the patient's chats, from both sides.

    Messages that the clinic's former bot sent or got can't be deleted: each bot has its numbers.
    """
    since = now - deleting.DELETABLE_FOR
    former_bot = FormerBot.objects.filter(clinic=patient.clinic_id).order_by("-left_at").first()
    if former_bot:
        since = max(since, former_bot.left_at)
    sent = Attempt.objects.filter(message__in=messages.values("pk"), outcome=AttemptOutcome.SENT)
    ours = sent.filter(began_at__gt=since, telegram_message_id__isnull=False)
    for chat, number, at in ours.values_list("telegram_id", "telegram_message_id", "began_at"):
        if number is not None:
            yield Posted(chat, number, at)
    theirs = own_rows.replies_of(patient).filter(at__gt=since, telegram_message_id__isnull=False)
    for chat, number, at in theirs.values_list("telegram_id", "telegram_message_id", "at"):
        if number is not None:
            yield Posted(chat, number, at)


def _blank_plans(caller: Caller, patient: Patient, now: dt.datetime) -> None:
    """Cancel the Schedules that have no other patient, and blank the texts that no other patient has got."""
    wordings = list(own_rows.wordings_of_nobody_else(patient).values_list("pk", flat=True))
    running = Schedule.objects.filter(pk__in=_schedules_of_nobody_else(patient), state__in=(State.ACTIVE, State.PAUSED))
    cancelled = {"state": State.CANCELLED}
    states = running.values_list("pk", "state")
    changes = {id: audit.differences({"state": state}, cancelled) for id, state in states}
    audit.record_many(caller, "schedule cancelled", "schedule", changes, now=now)
    running.update(cancelled_at=now, cancelled_from=F("state"), state=State.CANCELLED, next_plan_at=None)
    Version.objects.filter(pk__in=wordings).update(text=ERASED, buttons=None)


def _blank(messages: QuerySet[Message]) -> int:
    """Remove names, chats and texts, and the buttons, which may contain an answer. Return the number of messages."""
    attempts = Attempt.objects.filter(message__in=messages.values("pk"))
    attempts.update(text=ERASED, description=None, telegram_id=NO_CHAT)
    return messages.update(patient=None, text=ERASED, buttons=None, telegram_id=None, answer_by=None)


def _delete_what_came_in(patient: Patient) -> None:
    own_rows.conversations_of(patient).delete()
    replies = list(own_rows.replies_of(patient).values_list("pk", flat=True))
    # Delete corrections first: they refer to the first wording. Files are deleted with their Replies.
    for row in (Reply.objects.filter(corrects__in=replies), Reply.objects.filter(pk__in=replies)):
        row.delete()


def _forget_numbers(patient: Patient) -> None:
    """Keep only the keyed hash of an opt-out, unless another patient of the clinic is or was reached in the chat."""
    former = FormerChat.objects.filter(patient=patient).values_list("telegram_id", flat=True)
    chats = {*former, *([patient.telegram_id] if patient.telegram_id else [])}
    chats -= own_rows.reached_by_others(patient, chats)
    OptOut.objects.filter(clinic=patient.clinic_id, telegram_id__in=chats).update(telegram_id=None)


def _forget_in_reports(patient: Patient) -> None:
    """Remove the lines that name the patient from the reports of syncs, also by an id from before a merge."""
    runs = list(SyncRun.objects.select_for_update().filter(clinic=patient.clinic_id).order_by("id"))
    cells = {
        str(cell)
        for run in runs
        for lines in (run.reasons, run.touched)
        for line in json.loads(lines or "[]")
        for cell in line
    }
    values = {patient.external_id, patient.external_id_written, patient.name, patient.phone, patient.telegram_id}
    # A sentence names an id in brackets or before a full stop: "Another patient has this Telegram ID."
    words = {word.strip("().,:;") for cell in cells for word in cell.split()}
    values |= former_patients.external_ids_before(patient, cells | words)
    named = report_lines.naming(values)
    for run in runs:
        before = (run.reasons, run.touched)
        run.reasons = _without(run.reasons, named)
        run.touched = _without(run.touched, named) if run.touched else run.touched
        if before != (run.reasons, run.touched):
            run.save(update_fields=["reasons", "touched"])


def _without(lines: str, named: re.Pattern[str]) -> str:
    """Return the report's JSON without the lines in which a cell names the patient."""
    kept = [line for line in json.loads(lines) if not any(named.search(str(cell)) for cell in line)]
    return json.dumps(kept)
