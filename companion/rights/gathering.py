"""Gather everything that is stored about a patient (GDPR, articles 15 and 20).

Nothing is changed, except that the audit trail records the export.
"""

import datetime as dt
import json
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from django.db.models import Q

from companion.clinics import audit, opt_outs
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, Role
from companion.clinics.stored_entries import readable
from companion.delivery import payload
from companion.listener import media
from companion.listener.file_types import SUFFIXES
from companion.listener.models import Media, Reply
from companion.listener.start_and_stop import AGREE
from companion.listener.words import Word, say
from companion.patients import consent, former_patients
from companion.patients.models import ConsentChange, Enrolment, EnrolmentNote, FormerChat, Patient, SyncRun
from companion.planning import series
from companion.rights import own_rows
from companion.rights import shapes as to
from companion.schedules import buttons, queries
from companion.schedules.models import Attempt, AttemptOutcome, Message, Schedule
from companion.schedules.wording import texts_of

_AT_ONCE: Final = 500
"""The number of ids in one query."""


def everything(caller: Caller, patient: Patient, *, now: dt.datetime) -> to.PatientExport:
    """Return everything that is stored about the patient. Raises NotAllowed for a viewer."""
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
            to.ChatEntry.model_validate(row) for row in FormerChat.objects.filter(patient=patient).order_by("left_at")
        ],
        invitations=[
            to.InvitationEntry.model_validate(row)
            for row in Enrolment.objects.filter(patient=patient).order_by("created_at")
        ],
        notes=[
            to.NoteEntry.model_validate(row) for row in EnrolmentNote.objects.filter(patient=patient).order_by("at")
        ],
        schedules=[schedule_entry(schedule) for schedule in queries.schedules_for(patient)],
        messages=message_entries(messages),
        replies=[reply_entry(reply) for reply in own_rows.replies_of(patient).order_by("at", "id")],
        files=[_file(file) for file in own_rows.files_of(patient).order_by("came_at", "id")],
        conversations=[
            to.ConversationEntry(
                standing=row.standing, assigned_to=row.holder_name, since=row.since, urgent_at=row.urgent_at
            )
            for row in own_rows.conversations_of(patient)
        ],
        syncs=list(_syncs(patient)),
        audit=_audit(patient, messages),
    )


def path_of(file: Media) -> str:
    """Return the file's path in the zip."""
    return f"files/{file.pk}{SUFFIXES.get(file.type, '')}"


def _fields(patient: Patient) -> to.PatientFields:
    columns = {name: getattr(patient, name) for name in to.PatientFields.model_fields if name != "telegram_id_check"}
    check = patient.verified if patient.verified_id == patient.telegram_id else ""
    return to.PatientFields(**columns, telegram_id_check=check)


def consent_entries(patient: Patient) -> list[to.ConsentEntry]:
    """Return the changes of the patient's consent with the wording of the question, the oldest first."""
    return [
        to.ConsentEntry(
            at=change.at,
            consent=change.consent,
            source=change.source,
            wording=change.wording,
            question=_question(patient, change),
        )
        for change in patient.consent_history.order_by("at", "id")
    ]


def _question(patient: Patient, change: ConsentChange) -> str | None:
    """Return the question that the patient agreed to, as it left; its present words if that is not known."""
    if not change.wording:
        return None
    asking = Q(message__buttons__0__0__callback_data__startswith=AGREE)
    asked = Attempt.objects.filter(asking, clinic=patient.clinic_id, message__patient=patient, began_at__lte=change.at)
    arrived = asked.filter(outcome__in=("", AttemptOutcome.SENT, AttemptOutcome.UNKNOWN))
    if last := arrived.order_by("-began_at").first():
        return last.text
    return say(Word.QUESTION, patient.language) if change.wording == consent.WORDING else None


def _opt_out(patient: Patient) -> to.OptOutEntry | None:
    if patient.telegram_id is None:
        return None
    row = opt_outs.of_chat(patient.clinic, patient.telegram_id)
    return to.OptOutEntry.model_validate(row) if row else None


def schedule_entry(schedule: Schedule) -> to.ScheduleEntry:
    """Return the schedule with its wordings."""
    return to.ScheduleEntry(
        id=schedule.pk,
        state=schedule.state,
        summary=series.summary(schedule),
        starts_at=schedule.starts_at,
        timezone=schedule.timezone,
        cohort=schedule.cohort.name if schedule.cohort else None,
        created_by=schedule.created_by_name,
        created_at=schedule.created_at,
        wordings=[
            to.WordingEntry(
                number=version.number,
                text=version.text,
                buttons=[button.text for button in buttons.read(version.buttons)],
                created_at=version.created_at,
            )
            for version in schedule.versions.order_by("number")
        ],
    )


def _buttons_of(message: Message) -> list[str]:
    """Return the words on the buttons with which the message is sent or was sent."""
    return [button["text"] for row in payload.buttons_of(message) or [] for button in row]


def message_entries(messages: Sequence[Message]) -> list[to.MessageEntry]:
    """Return the messages with their attempts."""
    texts, attempts = texts_of(messages), _attempts(messages)
    return [
        to.MessageEntry(
            id=message.pk,
            schedule=message.schedule_id,
            occurrence=message.occurrence,
            status=message.status,
            reason=message.reason,
            text=texts[message.pk],
            buttons=_buttons_of(message),
            follows=message.follows_id,
            due_at=message.due_at,
            sent_at=message.sent_at,
            answered_at=message.answered_at,
            telegram_message_id=message.telegram_message_id,
            created_by=message.created_by_name,
            created_at=message.created_at,
            attempts=attempts[message.pk],
        )
        for message in messages
    ]


def _attempts(messages: Sequence[Message]) -> Mapping[uuid.UUID, list[to.AttemptEntry]]:
    by_message: dict[uuid.UUID, list[to.AttemptEntry]] = defaultdict(list)
    for ids in _portions([message.pk for message in messages]):
        for attempt in Attempt.objects.filter(message__in=ids).order_by("number"):
            by_message[attempt.message_id].append(to.AttemptEntry.model_validate(attempt))
    return by_message


def reply_entry(reply: Reply) -> to.ReplyEntry:
    """Return the reply with its words."""
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
    runs = SyncRun.objects.filter(clinic=patient.clinic_id).order_by("began_at")
    found = [(run.began_at, *line) for run in runs for line in json.loads(run.touched or "[]")]
    own = {patient.external_id} | former_patients.external_ids_before(patient, {id for _, id, _ in found})
    for at, external_id, change in found:
        if external_id in own:
            yield to.SyncEntry(at=at, change=change)


def _audit(patient: Patient, messages: Sequence[Message]) -> list[to.AuditEntryShape]:
    conversations = own_rows.conversations_of(patient).values_list("pk", flat=True)
    subjects = [patient.pk, *former_patients.ids_before(patient), *(message.pk for message in messages), *conversations]
    schedules = own_rows.schedules_of_nobody_else(patient).values_list("pk", flat=True)
    entries: list[AuditEntry] = []
    for ids in _portions([*subjects, *schedules]):
        entries += readable(AuditEntry.objects.filter(clinic=patient.clinic_id, subject_id__in=ids))
    return [
        to.AuditEntryShape(
            at=entry.at,
            by=f"{entry.actor_kind}: {entry.actor_name}",
            action=entry.action,
            subject=entry.subject_kind,
            subject_id=entry.subject_id,
        )
        for entry in sorted(entries, key=lambda entry: (entry.at, entry.pk))
    ]


def _portions(ids: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]
