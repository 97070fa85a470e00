"""The shapes of patients and cohorts that programs send and read. patient_answers.py fills them.

patients/fields.py checks the values.
"""

import uuid
from typing import Annotated, Literal

from pydantic import Field, StrictInt, StrictStr

from companion.api.paging import MOST, ListParameters
from companion.api.values import Body, Day, Instant, OneLine, QueryFlag, QueryNumber, Shape
from companion.api.warning_shapes import WarningShape
from companion.patients.fields import MOST_COHORTS
from companion.patients.reach import Why


class _PatientFields(Body):
    """The optional fields of a patient."""

    telegram_id: Annotated[
        StrictInt | StrictStr | None,
        Field(description="The number of the patient's own Telegram account; never a phone number or a @username."),
    ] = None
    birth_date: Day | None = None
    phone: StrictStr | None = None
    caregiver: Annotated[
        StrictStr | None, Field(description="The name of the person who reads the messages, if not the patient.")
    ] = None
    timezone: Annotated[StrictStr | None, Field(description="An IANA name. A new patient's default: the clinic's.")] = (
        None
    )
    language: Annotated[
        StrictStr | None, Field(description="A tag like en or pt-BR. A new patient's default: the clinic's.")
    ] = None
    cohorts: Annotated[
        list[StrictStr] | None,
        Field(
            max_length=MOST_COHORTS,
            description="The names of all of the patient's cohorts. A cohort with a new name is created.",
        ),
    ] = None


class NewPatient(_PatientFields):
    """A patient to add."""

    external_id: Annotated[StrictStr, Field(min_length=1)]
    name: Annotated[StrictStr, Field(min_length=1)]


class PatientChanges(_PatientFields):
    """Changes to a patient. A field that is left out stays as it is; null empties a field that may be empty."""

    external_id: Annotated[StrictStr | None, Field(min_length=1)] = None
    name: Annotated[StrictStr | None, Field(min_length=1)] = None
    paused_until: Annotated[
        Day | None,
        Field(
            description="No message goes out before this day begins in the patient's time zone. null ends the pause."
        ),
    ] = None
    paused_reason: Annotated[StrictStr | None, Field(description="The reason, which a pause needs.")] = None


class PatientParameters(ListParameters):
    """The filter for patients."""

    q: Annotated[OneLine, Field(max_length=200, description="Search in names and external ids.")] = ""
    cohort: Annotated[OneLine, Field(max_length=200, description="Only patients of this cohort (id or name).")] = ""
    reachable: QueryFlag | None = None
    unreachable_code: Annotated[Why | None, Field(description="Only patients whom we can't reach for this reason.")] = (
        None
    )


class ConversationParameters(ListParameters):
    """The size of a page of a conversation. Default: the largest."""

    limit: Annotated[QueryNumber, Field(ge=1, le=MOST, description="The largest number of messages on a page.")] = MOST


class NewCohort(Body):
    """A cohort to add. It is empty at first."""

    name: Annotated[StrictStr, Field(min_length=1)]


class CohortShape(Shape):
    """A named set of patients."""

    kind_of_object = "cohort"
    id: uuid.UUID
    name: str
    size: int


class CohortList(Shape):
    """A page of cohorts, by name."""

    items: list[CohortShape]
    next: str | None


class PatientShape(Shape):
    """A patient."""

    kind_of_object = "patient"
    id: uuid.UUID
    external_id: str
    name: str
    birth_date: Annotated[str | None, Field(json_schema_extra={"format": "date"})]
    phone: str | None
    telegram_id: int | None
    caregiver: str | None
    timezone: str
    language: str
    cohorts: list[str]
    consent: Literal["unknown", "given", "withdrawn"]
    reachable: bool
    unreachable_reason: Annotated[str | None, Field(description="Why we can't reach the patient and what to do.")]
    unreachable_code: Annotated[Why | None, Field(description="The reason as a code.")]
    telegram_id_check: Annotated[
        Literal["not_asked", "found", "not_found", "blocked"],
        Field(description="Telegram's last answer when we asked about this chat, which we do in the background."),
    ]
    paused_until: Annotated[str | None, Field(json_schema_extra={"format": "date"})]
    paused_reason: str | None


class ChangedPatient(PatientShape):
    """A patient after a change, with the effect on planned messages."""

    messages: Annotated[int, Field(description="The number of messages that were planned, moved or removed.")]
    complete: Annotated[bool, Field(description="false: the Planner is still working on this change.")]
    warnings: list[WarningShape]


class PatientList(Shape):
    """A page of patients, by name."""

    items: list[PatientShape]
    next: str | None


class ImportRefusal(Shape):
    """A row that was refused. The header is line 1."""

    line: int
    reason: str


class ImportReport(Shape):
    """The result of an import."""

    added: int
    changed: int
    unchanged: int
    refused: list[ImportRefusal]


class EnrolmentShape(Shape):
    """A one-time invitation."""

    link: str
    qr_svg: str
    expires_at: Instant


class MediaShape(Shape):
    """A file that a patient sent."""

    id: uuid.UUID
    kind: Annotated[str, Field(description="Telegram's name for this kind of file: photo, voice, document…")]
    type: Annotated[
        str | None, Field(description="The MIME type, read from the file's bytes when it was first opened.")
    ]
    size: Annotated[int | None, Field(description="The size in bytes; null: unknown.")]
    link: Annotated[str | None, Field(description="The file's address; null: the file is no longer available.")]
    unavailable: Annotated[str | None, Field(description="Why the file is not available.")]


class WordingShape(Shape):
    """An earlier wording of a message that the patient edited."""

    at: Instant
    text: str
    media: Annotated[MediaShape | None, Field(description="The file of this wording, if the edit replaced it.")]
    map: Annotated[str | None, Field(description="A map link to a live location before it moved.")]


class ConversationItem(Shape):
    """A message of a conversation, to or from the patient."""

    at: Instant
    direction: Literal["out", "in"]
    text: Annotated[str, Field(description="The text; after an edit, its newest wording.")]
    message: Annotated[
        uuid.UUID | None, Field(description="The id of this message, or of the message that the patient answers.")
    ]
    kind: Literal["message", "text", "tap", "other"]
    by: Annotated[str | None, Field(description="The author of a single message or of an answer.")]
    media: Annotated[MediaShape | None, Field(description="The file that the patient sent with this message.")]
    map: Annotated[str | None, Field(description="A map link to the place that the patient sent.")]
    edited_at: Annotated[Instant | None, Field(description="When the patient last edited the message.")]
    earlier: Annotated[list[WordingShape], Field(description="The wordings before each edit, oldest first.")]


class Conversation(Shape):
    """A page of a conversation, oldest message first."""

    items: list[ConversationItem]
    next: str | None
