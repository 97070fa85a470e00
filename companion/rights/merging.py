"""Merge two patients who are the same person, in one transaction. Nothing is lost, and nothing is sent twice.

The preview (merge_preview.py) shows both plans before the merge. A Mark then lets the Planner plan for the remaining
patient.
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
from companion.rights.one_of_two import MergedValues, merged_values
from companion.schedules.models import Message, Recipient
from companion.service import old_pages
from companion.service.wake import ring

LEFT: Final = "{name} has left the directory, so there is nobody to merge with. Import the patient again first."


def other_of(clinic: Clinic, patient: Patient, into: uuid.UUID | str) -> Patient:
    """Return the patient into whom `patient` is to be merged.

    Raises Refused if there is no such patient, or if it is the same patient.
    """
    try:
        other = queries.patient_called(clinic, str(into))
    except Unknown as refusal:
        raise Refused(Problem("into", str(refusal))) from None
    if other.pk == patient.pk:
        raise Refused(Problem("into", "This is the same patient. Choose the other entry."))
    return other


def obstacle(gone: Patient, stays: Patient) -> str:
    """Return the reason why these two can't be merged; empty if they can."""
    if left := next((patient for patient in (gone, stays) if patient.left_at), None):
        return LEFT.format(name=left.name)
    return locking.ON_ITS_WAY if locking.is_on_its_way(_messages_of(gone, stays)) else ""


def _messages_of(gone: Patient, stays: Patient) -> QuerySet[Message]:
    return Message.objects.filter(clinic=stays.clinic_id, patient__in=(gone, stays))


def merge(caller: Caller, patient: Patient, into: Patient, *, now: dt.datetime) -> Patient:
    """Merge `patient` into `into`, who remains. Return the remaining patient's present row.

    Raises Conflict while a message to either is on its way or if either has left the directory, Unknown, and NotAllowed
    for a viewer.
    """
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        gone, stays = locking.hold(caller, patient, into)
        if why := obstacle(gone, stays):
            raise Conflict(why)
        locking.hold_messages(_messages_of(gone, stays))
        merged = merged_values(gone, stays)
        same_occurrence.keep_one_of_each(same_occurrence.of_both(gone, stays), now=now)
        _hand_over(gone, stays)
        joining.join(gone, stays)
        _hand_over_history(gone, stays, merged)
        former_patients.note_gone(gone, into=stays, now=now)
        copies.move(Moved(caller.clinic, gone.pk, stays.pk))
        Mark.objects.filter(clinic=caller.clinic, subject_id=gone.pk).delete()
        gone.delete()
        _store_merged(caller, stays, merged, now)
        changes = audit.differences({}, {"goes on as": stays.pk})
        audit.record(caller, "patient merged into another", "patient", patient.pk, now=now, changes=changes)
        changes = {**dict.fromkeys(merged.columns, audit.CHANGED), **audit.differences({}, {"goes on for": patient.pk})}
        audit.record(caller, "another patient merged in", "patient", stays.pk, now=now, changes=changes)
        marks.leave(caller.clinic, MarkKind.PATIENT, stays.pk, now=now)
        old_pages.empty_log_after_commit()
        ring()
    return stays


def _hand_over(gone: Patient, stays: Patient) -> None:
    """Give messages, schedules and cohorts to the remaining patient.

    A schedule or a cohort that both have is left with the other patient's row, and is deleted with it.
    """
    Message.objects.filter(clinic=stays.clinic_id, patient=gone).update(patient=stays)
    schedules = list(Recipient.objects.filter(patient=stays).values_list("schedule", flat=True))
    Recipient.objects.filter(patient=gone).exclude(schedule__in=schedules).update(patient=stays)
    cohorts = list(CohortMember.objects.filter(patient=stays).values_list("cohort", flat=True))
    CohortMember.objects.filter(patient=gone).exclude(cohort__in=cohorts).update(patient=stays)


def _hand_over_history(gone: Patient, stays: Patient, merged: MergedValues) -> None:
    ConsentChange.objects.filter(patient=gone).update(patient=stays)
    Enrolment.objects.filter(patient=gone).update(patient=stays)
    for note in EnrolmentNote.objects.filter(patient=gone, seen_at__isnull=True):
        same = EnrolmentNote.objects.filter(patient=stays, kind=note.kind, seen_at__isnull=True)
        if same.update(times=F("times") + note.times):
            note.delete()
    EnrolmentNote.objects.filter(patient=gone).update(patient=stays)
    chat = merged.columns.get("telegram_id", stays.telegram_id)
    current = [chat] if chat else []
    chats_of_gone = FormerChat.objects.filter(patient=gone)
    chats_of_stays = FormerChat.objects.filter(patient=stays)
    # If either had agreed in a chat of both, the chat counts as the patient's: export and erasure need to know this.
    agreed = chats_of_gone.filter(agreed=True).values("telegram_id")
    chats_of_stays.filter(telegram_id__in=agreed).update(agreed=True)
    known = list(chats_of_stays.values_list("telegram_id", flat=True))
    chats_of_gone.exclude(telegram_id__in=[*known, *current]).update(patient=stays)
    # The chat that gets the messages is not a former chat any more, even if one of the two had left it.
    chats_of_stays.filter(telegram_id__in=[*current]).delete()


def _store_merged(caller: Caller, stays: Patient, merged: MergedValues, now: dt.datetime) -> None:
    for name, value in merged.columns.items():
        setattr(stays, name, value)
    if merged.columns:
        stays.save(update_fields=list(merged.columns))
    if merged.left_chat is not None:
        former_chats.keep([former_chats.left(stays, merged.left_chat, agreed=merged.agreed_there, now=now)])
    if "consent" in merged.columns:
        entry = ConsentChange(
            clinic=caller.clinic,
            patient=stays,
            at=now,
            consent=stays.consent,
            source=f"merge by {directory.source_of(caller)}"[:64],
        )
        consent_history.keep([entry], now=now)
