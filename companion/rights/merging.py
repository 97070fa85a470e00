"""Merges two patients who are one person: one transaction, in which nothing of either is lost and nothing goes twice.

The preview (merge_preview.py) shows both plans before. The Planner then plans for the one (by a Mark).
"""

import datetime as dt
import uuid
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from companion.clinics import audit, marks
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Mark, MarkKind, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.listener import joining
from companion.patients import consent_history, directory, former_chats, former_patients, queries
from companion.patients.models import (
    CohortMember,
    ConsentChange,
    Enrolment,
    EnrolmentNote,
    FormerChat,
    Patient,
)
from companion.rights import copies, locking, same_occurrence
from companion.rights.copies import Moved
from companion.rights.one_of_two import One, one_of
from companion.schedules.models import Message, Recipient
from companion.service import old_pages
from companion.service.wake import ring

LEFT: Final = "{name} has left the directory, so there is nobody to merge with. Import the patient again first."


def other_of(clinic: Clinic, patient: Patient, into: uuid.UUID | str) -> Patient:
    """The patient into whom `patient` is to be merged. Raises Refused for nobody, and for the patient themselves."""
    try:
        found = queries.patient_called(clinic, str(into))
    except Unknown as why:
        raise Refused(Problem("into", str(why))) from None
    if found.pk == patient.pk:
        raise Refused(Problem("into", "This is the same patient. Choose the other one."))
    return found


def obstacle(gone: Patient, stays: Patient) -> str:
    """Return why these two can't be merged; empty if they can."""
    if absent := next((one for one in (gone, stays) if one.left_at), None):
        return LEFT.format(name=absent.name)
    return locking.ON_ITS_WAY if locking.is_on_its_way(_messages_of(gone, stays)) else ""


def _messages_of(gone: Patient, stays: Patient) -> QuerySet[Message]:
    return Message.objects.filter(clinic=stays.clinic_id, patient__in=(gone, stays))


def merge(caller: Caller, patient: Patient, into: Patient, *, now: dt.datetime) -> Patient:
    """Merge `patient` into `into`, who goes on. Returns that patient as it is now.

    Raises Conflict while a message to either is on its way or if one has left, Unknown, and NotAllowed for a viewer.
    """
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        gone, stays = locking.hold(caller, patient, into)
        if why := obstacle(gone, stays):
            raise Conflict(why)
        locking.hold_messages(_messages_of(gone, stays))
        one = one_of(gone, stays)
        same_occurrence.settle(same_occurrence.found(gone, stays), now=now)
        _hand_over(gone, stays)
        joining.join(gone, stays)
        _hand_over_history(gone, stays, one)
        former_patients.note_gone(gone, into=stays, now=now)
        copies.move(Moved(caller.clinic, gone.pk, stays.pk))
        Mark.objects.filter(clinic=caller.clinic, subject_id=gone.pk).delete()
        gone.delete()
        _become(caller, stays, one, now)
        told = audit.differences({}, {"goes on as": stays.pk})
        audit.record(caller, "patient merged into another", "patient", patient.pk, now=now, changes=told)
        told = {**dict.fromkeys(one.columns, audit.CHANGED), **audit.differences({}, {"goes on for": patient.pk})}
        audit.record(caller, "another patient merged in", "patient", stays.pk, now=now, changes=told)
        marks.leave(caller.clinic, MarkKind.PATIENT, stays.pk, now=now)
        old_pages.empty_log_after_commit()
        ring()
    return stays


def _hand_over(gone: Patient, stays: Patient) -> None:
    """Messages, places in schedules and in cohorts. What both have goes with the row of the one who goes."""
    Message.objects.filter(clinic=stays.clinic_id, patient=gone).update(patient=stays)
    named = list(Recipient.objects.filter(patient=stays).values_list("schedule", flat=True))
    Recipient.objects.filter(patient=gone).exclude(schedule__in=named).update(patient=stays)
    placed = list(CohortMember.objects.filter(patient=stays).values_list("cohort", flat=True))
    CohortMember.objects.filter(patient=gone).exclude(cohort__in=placed).update(patient=stays)


def _hand_over_history(gone: Patient, stays: Patient, one: One) -> None:
    ConsentChange.objects.filter(patient=gone).update(patient=stays)
    Enrolment.objects.filter(patient=gone).update(patient=stays)
    for note in EnrolmentNote.objects.filter(patient=gone, seen_at__isnull=True):
        same = EnrolmentNote.objects.filter(patient=stays, kind=note.kind, seen_at__isnull=True)
        if same.update(times=F("times") + note.times):
            note.delete()
    EnrolmentNote.objects.filter(patient=gone).update(patient=stays)
    chat = one.columns.get("telegram_id", stays.telegram_id)
    theirs, own = FormerChat.objects.filter(patient=gone), FormerChat.objects.filter(patient=stays)
    # A chat of both is the patient's own if either had agreed there: the export and an erasure go by that.
    own.filter(telegram_id__in=theirs.filter(agreed=True).values("telegram_id")).update(agreed=True)
    known = list(own.values_list("telegram_id", flat=True))
    current = [chat] if chat else []
    theirs.exclude(telegram_id__in=[*known, *current]).update(patient=stays)
    # The chat that goes on is no former one any more, though one of the two had left it.
    own.filter(telegram_id__in=[*current]).delete()


def _become(caller: Caller, stays: Patient, one: One, now: dt.datetime) -> None:
    for name, value in one.columns.items():
        setattr(stays, name, value)
    if one.columns:
        stays.save(update_fields=list(one.columns))
    if one.left_chat is not None:
        former_chats.keep([former_chats.left(stays, one.left_chat, agreed=one.agreed_there, now=now)])
    if "consent" in one.columns:
        entry = ConsentChange(
            clinic=caller.clinic,
            patient=stays,
            at=now,
            consent=stays.consent,
            source=f"merge by {directory.source_of(caller)}"[:64],
        )
        consent_history.keep([entry], now=now)
