"""A patient with a value in every field that can be held, each with a distinct word to search for."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.utils.timezone import now as present

from companion.clinics.models import Clinic, OptOut
from companion.clinics.opt_outs import chat_of
from companion.clinics.sealed import seal_bytes
from companion.listener.models import Media, MediaPart, Reply, ReplyKind
from companion.patients.models import (
    Consent,
    ConsentChange,
    Enrolment,
    EnrolmentNote,
    FormerChat,
    NoteKind,
    Patient,
    SyncRun,
)
from companion.schedules import buttons
from companion.schedules.buttons import Button
from companion.schedules.models import Lane, Message, Schedule, Status, Version
from companion.schedules.reasons import Reason
from tests.builders import (
    a_cohort,
    a_conversation,
    a_message,
    a_patient,
    a_schedule,
    an_attempt,
)

CHAT: Final = 5_777_001_001
FORMER_CHAT: Final = 5_777_002_002
PNG: Final = b"\x89PNG\r\n\x1a\nCANARYBYTES"
TEXTS: Final = {
    "external_id": "CANARYID-1",
    "external_id_written": "CANARYID-1\u200b",
    "name": "Canaryname Silva",
    "phone": "+49 30 7770001",
    "caregiver": "Canarycarer",
    "paused_reason": "CANARYPAUSE",
}


@dataclass(frozen=True)
class Story:
    """The patient, and the rows that the tests look at by themselves."""

    patient: Patient
    own: Schedule
    shared: Schedule
    sent: Message
    pending: Message
    reply: Reply
    file: Media


def a_whole_story(clinic: Clinic, *, chat: int = CHAT, **fields: object) -> Story:
    """A patient with all that can be held, and a sibling who gets some of the same messages."""
    now = present()
    values: dict[str, object] = {**TEXTS, "telegram_id": chat, "birth_date": dt.date(1957, 3, 14), "language": "hmn"}
    values |= fields
    patient = a_patient(clinic, str(values.pop("name")), **values)
    other = a_patient(clinic, "Bo Other")
    _before(patient, now)
    a_cohort(clinic, "Diabetes", patient, other)
    own = a_schedule(clinic, patient, text="CANARYWORDING", starts_at="2035-12-02T09:00")
    Version.objects.filter(schedule=own).update(buttons=buttons.written([Button("CANARYANSWER")]))
    shared = a_schedule(clinic, patient, other, text="For all, {first_name}.", starts_at="2035-12-02T09:00")
    sent = a_message(patient, own, status=Status.SENT, sent_at=now, ended_at=now, due_at=now, telegram_message_id=41)
    an_attempt(
        sent,
        text="CANARYSENT",
        description="CANARYDESCRIPTION",
        telegram_id=chat,
        telegram_message_id=41,
        began_at=now,
        ended_at=now,
    )
    pending = a_message(
        patient, None, text="CANARYPENDING", due_at=now + dt.timedelta(days=1), buttons=[[{"text": "CANARYBUTTON"}]]
    )
    a_message(patient, shared, status=Status.FAILED, reason=Reason.TOO_LATE, ended_at=now, due_at=now)
    a_message(other, shared, status=Status.SENT, sent_at=now, ended_at=now)
    stranger = a_message(patient, None, text="CANARYBEFORE", status=Status.SENT, sent_at=now, ended_at=now)
    Message.objects.filter(pk=stranger.pk).update(patient=None, telegram_id=chat, lane=Lane.STRANGER)
    reply = _reply(patient, sent, now, update_id=1, text="CANARYREPLY")
    _reply(patient, None, now, update_id=2, text="CANARYEDIT", corrects=reply)
    file = _file(patient, now)
    conversation = a_conversation(patient, last_reply=reply)
    assert conversation.telegram_id == chat
    return Story(patient, own, shared, sent, pending, reply, file)


def _before(patient: Patient, now: dt.datetime) -> None:
    clinic, chat = patient.clinic, patient.telegram_id
    common = {"clinic": clinic, "patient": patient}
    ConsentChange.objects.create(**common, at=now, consent=Consent.GIVEN, source="patient: agreed", wording="2026-1")
    FormerChat.objects.create(**common, telegram_id=FORMER_CHAT, left_at=now, agreed=True)
    Enrolment.objects.create(
        **common,
        token_hash=f"hash{patient.pk}",
        created_at=now,
        expires_at=now + dt.timedelta(days=7),
        before={"chat": chat, "telegram_id": FORMER_CHAT, "consent": "given"},
    )
    EnrolmentNote.objects.create(**common, kind=NoteKind.USED, at=now)
    OptOut.objects.create(clinic=clinic, chat=chat_of(FORMER_CHAT), telegram_id=FORMER_CHAT, at=now, source="STOP")
    SyncRun.objects.create(
        clinic=clinic,
        kind="csv",
        whole=True,
        began_at=now,
        reasons='[["CANARYID-1", "phone: CANARYREASON"], ["B-2", "name: Give the patient\'s name."]]',
        touched='[["CANARYID-1", "added"], ["B-2", "added"]]',
    )


def _reply(patient: Patient, message: Message | None, now: dt.datetime, **fields: object) -> Reply:
    values: dict[str, object] = {"kind": ReplyKind.TEXT, "telegram_id": patient.telegram_id, "at": now}
    values |= {"telegram_message_id": 42, "message": message, "patient": patient}
    return Reply.objects.create(clinic_id=patient.clinic_id, **values | fields)


def _file(patient: Patient, now: dt.datetime) -> Media:
    reply = _reply(patient, None, now, update_id=3, text="[photo]", kind=ReplyKind.OTHER, telegram_message_id=43)
    file = Media.objects.create(
        clinic_id=patient.clinic_id,
        reply=reply,
        kind="photo",
        name="CANARYFILE.png",
        size=len(PNG),
        bot=1,
        file_id="CANARYFILEID",
        type="image/png",
        came_at=now,
        kept_at=now,
    )
    MediaPart.objects.create(media=file, number=0, content=seal_bytes(PNG, f"listener.MediaPart.content {file.pk} 0"))
    return file
