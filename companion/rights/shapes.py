"""The form in which everything that is stored about a patient is handed over. gathering.py fills it."""

import datetime as dt
import uuid

from pydantic import BaseModel, ConfigDict, Field


class _OfRow(BaseModel):
    """An entry whose fields have the names of the row's columns."""

    model_config = ConfigDict(from_attributes=True)


class PatientFields(BaseModel):
    """The patient's own row."""

    id: uuid.UUID
    external_id: str
    external_id_written: str = Field(description="The id as its source writes it, if that differs; else empty.")
    name: str
    birth_date: dt.date | None
    phone: str
    telegram_id: int | None
    caregiver: str
    timezone: str
    language: str
    consent: str
    consent_asked_at: dt.datetime | None
    trouble: str = Field(description="Telegram's last refusal of the chat; empty: none.")
    trouble_at: dt.datetime | None
    telegram_id_check: str = Field(description="Telegram's last answer about the chat; empty: not asked.")
    left_at: dt.datetime | None
    paused_until: dt.date | None
    paused_reason: str
    created_at: dt.datetime


class ConsentEntry(BaseModel):
    """A change of the consent."""

    at: dt.datetime
    consent: str
    source: str
    wording: str = Field(description="The version of the question; empty: no question was asked.")
    question: str | None = Field(
        description="The question's words, as they left for the patient; if that is not known, its present words."
    )


class OptOutEntry(_OfRow):
    """A STOP of the patient's chat."""

    at: dt.datetime
    source: str


class ChatEntry(_OfRow):
    """A chat by which the patient was reached before."""

    telegram_id: int
    left_at: dt.datetime
    agreed: bool


class InvitationEntry(_OfRow):
    """An invitation. Its link is not kept."""

    created_at: dt.datetime
    expires_at: dt.datetime
    used_at: dt.datetime | None


class NoteEntry(_OfRow):
    """A note for staff about an invitation or a chat."""

    at: dt.datetime
    kind: str
    times: int
    seen_at: dt.datetime | None
    seen_by: str


class WordingEntry(BaseModel):
    """A wording of a schedule."""

    number: int
    text: str
    buttons: list[str] = Field(description="The words on the answer buttons.")
    created_at: dt.datetime


class ScheduleEntry(BaseModel):
    """A schedule that writes to the patient, by name or by a cohort."""

    id: uuid.UUID
    state: str
    summary: str
    starts_at: str
    timezone: str
    cohort: str | None
    created_by: str
    created_at: dt.datetime
    wordings: list[WordingEntry]


class AttemptEntry(_OfRow):
    """A try to deliver a message, with the text that left."""

    number: int
    began_at: dt.datetime
    ended_at: dt.datetime | None
    outcome: str
    text: str
    telegram_id: int
    telegram_message_id: int | None
    error_code: int | None
    note: str
    description: str | None


class MessageEntry(BaseModel):
    """A message to the patient."""

    id: uuid.UUID
    schedule: uuid.UUID | None
    occurrence: str
    status: str
    reason: str = Field(description="Why it failed or was cancelled; else empty.")
    text: str
    buttons: list[str] = Field(description="The words on the buttons under the text.")
    follows: uuid.UUID | None = Field(description="The message that this message repeats, or whose answer it shows.")
    due_at: dt.datetime
    sent_at: dt.datetime | None
    answered_at: dt.datetime | None
    telegram_message_id: int | None
    created_by: str
    created_at: dt.datetime
    attempts: list[AttemptEntry]


class ReplyEntry(BaseModel):
    """A message or a tap of the patient."""

    id: uuid.UUID
    at: dt.datetime
    kind: str
    text: str
    answers: uuid.UUID | None = Field(description="The message that it answers.")
    corrects: uuid.UUID | None = Field(description="The reply of which it is a later wording.")
    telegram_id: int
    telegram_message_id: int | None


class FileEntry(BaseModel):
    """A file that the patient sent."""

    id: uuid.UUID
    reply: uuid.UUID
    kind: str
    name: str
    type: str
    size: int | None
    came_at: dt.datetime
    path: str | None = Field(description="Its place in the zip; null: it is not there.")
    unavailable: str | None = Field(description="Why the file itself is not there.")


class ConversationEntry(BaseModel):
    """The state of the conversation in the inbox."""

    standing: str
    assigned_to: str
    since: dt.datetime
    urgent_at: dt.datetime | None


class SyncEntry(BaseModel):
    """The notes of a sync of the directory's source about the patient."""

    at: dt.datetime
    change: str


class AuditEntryShape(BaseModel):
    """An entry of the audit trail about the patient or one of the patient's messages."""

    at: dt.datetime
    by: str
    action: str
    subject: str
    subject_id: uuid.UUID | None


class PatientExport(BaseModel):
    """Everything that is stored about a patient."""

    made_at: dt.datetime
    clinic: str
    patient: PatientFields
    former_ids: list[uuid.UUID] = Field(description="The ids of patients who were merged into this patient.")
    cohorts: list[str]
    consents: list[ConsentEntry]
    opt_out: OptOutEntry | None
    former_chats: list[ChatEntry]
    invitations: list[InvitationEntry]
    notes: list[NoteEntry]
    schedules: list[ScheduleEntry]
    messages: list[MessageEntry]
    replies: list[ReplyEntry]
    files: list[FileEntry]
    conversations: list[ConversationEntry]
    syncs: list[SyncEntry]
    audit: list[AuditEntryShape]
