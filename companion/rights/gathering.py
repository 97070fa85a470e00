"""Gathers all that is held about a patient (GDPR, articles 15 and 20). Changes nothing but the audit trail, which notes
the export.
"""

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from companion.clinics import audit, opt_outs
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, Role
from companion.listener import media
from companion.listener.file_types import SUFFIXES
from companion.listener.models import Media, Reply
from companion.listener.words import Word, say
from companion.patients import consent, former_patients
from companion.patients.models import Enrolment, EnrolmentNote, FormerChat, Patient, SyncRun
from companion.planning import series
from companion.rights import own_rows
from companion.rights import shapes as to
from companion.schedules import queries
from companion.schedules.models import Attempt, Message, Schedule
from companion.schedules.wording import texts_of

_AT_ONCE: Final = 500
"""Ids in one query."""


def everything(caller: Caller, patient: Patient, *, now: dt.datetime) -> to.PatientExport:
    """All that is held about the patient. Raises NotAllowed for a viewer."""
    caller.needs(Role.PROVIDER)
    audit.record_reading(caller, "patient exported", "patient", patient.pk, now=now)
    messages = list(own_rows.messages_of(patient).select_related("clinic", "patient", "version").order_by("due_at"))
    return to.PatientExport(
        made_at=now,
        clinic=caller.clinic.name,
        patient=_fields(patient),
        former_ids=former_patients.ids_before(patient),
        cohorts=list(patient.cohorts.order_by("name").values_list("name", flat=True)),
        consents=consent_entries(patient),
        opt_out=_opt_out(patient),
        former_chats=[
            to.ChatEntry.model_validate(one) for one in FormerChat.objects.filter(patient=patient).order_by("left_at")
        ],
        invitations=[
            to.InvitationEntry.model_validate(one)
            for one in Enrolment.objects.filter(patient=patient).order_by("created_at")
        ],
        notes=[
            to.NoteEntry.model_validate(one) for one in EnrolmentNote.objects.filter(patient=patient).order_by("at")
        ],
        schedules=[schedule_entry(one) for one in queries.schedules_for(patient)],
        messages=message_entries(messages),
        replies=[reply_entry(one) for one in own_rows.replies_of(patient).order_by("at", "id")],
        files=[_file(one) for one in own_rows.files_of(patient).order_by("came_at", "id")],
        conversations=[
            to.ConversationEntry(
                standing=one.standing, assigned_to=one.holder_name, since=one.since, urgent_at=one.urgent_at
            )
            for one in own_rows.conversations_of(patient)
        ],
        syncs=list(_syncs(patient)),
        audit=_audit(patient, messages),
    )


def path_of(file: Media) -> str:
    """The file's place in the zip."""
    return f"files/{file.pk}{SUFFIXES.get(file.type, '')}"


def _fields(patient: Patient) -> to.PatientFields:
    named = {name: getattr(patient, name) for name in to.PatientFields.model_fields if name != "telegram_id_check"}
    checked = patient.verified if patient.verified_id == patient.telegram_id else ""
    return to.PatientFields(**named, telegram_id_check=checked)


def consent_entries(patient: Patient) -> list[to.ConsentEntry]:
    """The patient's consents with their wording, the oldest first."""
    question = say(Word.QUESTION, patient.language)
    return [
        to.ConsentEntry(
            at=one.at,
            consent=one.consent,
            source=one.source,
            wording=one.wording,
            question=question if one.wording == consent.WORDING else None,
        )
        for one in patient.consent_history.order_by("at", "id")
    ]


def _opt_out(patient: Patient) -> to.OptOutEntry | None:
    if patient.telegram_id is None:
        return None
    row = opt_outs.of_chat(patient.clinic, patient.telegram_id)
    return to.OptOutEntry.model_validate(row) if row else None


def schedule_entry(schedule: Schedule) -> to.ScheduleEntry:
    """The schedule with its wordings."""
    return to.ScheduleEntry(
        id=schedule.pk,
        state=schedule.state,
        summary=series.summary(schedule),
        starts_at=schedule.starts_at,
        timezone=schedule.timezone,
        cohort=schedule.cohort.name if schedule.cohort else None,
        created_by=schedule.created_by_name,
        created_at=schedule.created_at,
        wordings=[to.WordingEntry.model_validate(one) for one in schedule.versions.order_by("number")],
    )


def message_entries(messages: Sequence[Message]) -> list[to.MessageEntry]:
    """The messages with their attempts."""
    texts, attempts = texts_of(messages), _attempts(messages)
    return [
        to.MessageEntry(
            id=one.pk,
            schedule=one.schedule_id,
            occurrence=one.occurrence,
            status=one.status,
            reason=one.reason,
            text=texts[one.pk],
            due_at=one.due_at,
            sent_at=one.sent_at,
            answered_at=one.answered_at,
            telegram_message_id=one.telegram_message_id,
            created_by=one.created_by_name,
            created_at=one.created_at,
            attempts=attempts[one.pk],
        )
        for one in messages
    ]


def _attempts(messages: Sequence[Message]) -> Mapping[uuid.UUID, list[to.AttemptEntry]]:
    found: dict[uuid.UUID, list[to.AttemptEntry]] = defaultdict(list)
    for ids in _portions([one.pk for one in messages]):
        for one in Attempt.objects.filter(message__in=ids).order_by("number"):
            found[one.message_id].append(to.AttemptEntry.model_validate(one))
    return found


def reply_entry(reply: Reply) -> to.ReplyEntry:
    """The reply with its words."""
    return to.ReplyEntry(
        id=reply.pk,
        at=reply.at,
        kind=reply.kind,
        text=reply.text,
        answers=reply.message_id,
        corrects=reply.corrects_id,
        telegram_id=reply.telegram_id,
        telegram_message_id=reply.telegram_message_id,
    )


def _file(file: Media) -> to.FileEntry:
    return to.FileEntry(
        id=file.pk,
        reply=file.reply_id,
        kind=file.kind,
        name=file.name,
        type=file.type,
        size=file.size,
        came_at=file.came_at,
        path=path_of(file) if file.kept_at else None,
        unavailable=media.obstacle(file) or None,
    )


def _syncs(patient: Patient) -> Iterator[to.SyncEntry]:
    for run in SyncRun.objects.filter(clinic=patient.clinic_id).order_by("began_at"):
        for external_id, change in json.loads(run.touched or "[]"):
            if external_id == patient.external_id:
                yield to.SyncEntry(at=run.began_at, change=change)


def _audit(patient: Patient, messages: Sequence[Message]) -> list[to.AuditEntryShape]:
    conversations = own_rows.conversations_of(patient).values_list("pk", flat=True)
    subjects = [patient.pk, *former_patients.ids_before(patient), *(one.pk for one in messages), *conversations]
    own = own_rows.schedules_of_nobody_else(patient).values_list("pk", flat=True)
    found: list[AuditEntry] = []
    for ids in _portions([*subjects, *own]):
        found += AuditEntry.objects.filter(clinic=patient.clinic_id, subject_id__in=ids)
    return [
        to.AuditEntryShape(
            at=one.at,
            by=f"{one.actor_kind}: {one.actor_name}",
            action=one.action,
            subject=one.subject_kind,
            subject_id=one.subject_id,
        )
        for one in sorted(found, key=lambda one: (one.at, one.pk))
    ]


def _portions(ids: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]
