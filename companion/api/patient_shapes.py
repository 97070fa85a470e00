"""What programs send and read of patients and cohorts. Which values can be taken is said in patients/fields.py."""

import uuid
from typing import Annotated, Literal

from pydantic import Field, StrictInt, StrictStr

from companion.api.paging import MOST, ListParameters
from companion.api.values import Body, Day, Instant, Line, QueryFlag, QueryNumber, Shape
from companion.api.warning_shapes import WarningShape
from companion.clinics.models import Clinic
from companion.listener.conversation import Item
from companion.listener.media import why_not
from companion.listener.models import Media
from companion.patients.models import Patient
from companion.patients.reach import Why, obstacle_of, telegram_check


class _PatientFields(Body):
    """What is optional of a patient."""

    telegram_id: Annotated[
        StrictInt | StrictStr | None,
        Field(description="The number of the patient's own Telegram account; never a phone number or a @username."),
    ] = None
    birth_date: Day | None = None
    phone: StrictStr | None = None
    caregiver: Annotated[StrictStr | None, Field(description="Whose phone is written to, if someone else's.")] = None
    timezone: Annotated[StrictStr | None, Field(description="An IANA name; left out: the clinic's.")] = None
    language: Annotated[StrictStr | None, Field(description="Like en or pt-BR; left out: the clinic's.")] = None
    cohorts: Annotated[list[StrictStr] | None, Field(description="Names; those that are new are made.")] = None


class NewPatient(_PatientFields):
    """Whom we write to."""

    external_id: Annotated[StrictStr, Field(min_length=1)]
    name: Annotated[StrictStr, Field(min_length=1)]


class PatientChanges(_PatientFields):
    """What is to change; what is left out stays."""

    external_id: Annotated[StrictStr | None, Field(min_length=1)] = None
    name: Annotated[StrictStr | None, Field(min_length=1)] = None
    paused_until: Annotated[
        Day | None, Field(description="Nothing goes out before this day begins on the patient's clock; null resumes.")
    ] = None
    paused_reason: Annotated[StrictStr | None, Field(description="Why; needed for a pause.")] = None


class PatientParameters(ListParameters):
    """Which patients."""

    q: Annotated[Line, Field(max_length=200, description="Looks in names and external ids.")] = ""
    cohort: Annotated[Line, Field(max_length=200, description="Its id or name.")] = ""
    reachable: QueryFlag | None = None
    unreachable_code: Annotated[Why | None, Field(description="Only those with whom this stands in the way.")] = None


class ConversationParameters(ListParameters):
    """How much of a conversation; all of it, as a rule."""

    limit: Annotated[QueryNumber, Field(ge=1, le=MOST, description="How many at most.")] = MOST


class NewCohort(Body):
    """A named set of patients, empty at first."""

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
    """Whom we write to."""

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
    unreachable_reason: Annotated[str | None, Field(description="What to do, in one sentence.")]
    unreachable_code: Annotated[Why | None, Field(description="The same for programs.")]
    telegram_id_check: Annotated[
        Literal["not_asked", "found", "not_found", "blocked"],
        Field(description="What Telegram last said of this chat; it is asked in the background."),
    ]
    paused_until: Annotated[str | None, Field(json_schema_extra={"format": "date"})]
    paused_reason: str | None


class ChangedPatient(PatientShape):
    """A patient after a change, with what it did to plans."""

    messages: Annotated[int, Field(description="How many messages were planned, moved or dropped by now.")]
    complete: Annotated[bool, Field(description="False while the Planner is still at it.")]
    warnings: list[WarningShape]


class PatientList(Shape):
    """A page of patients, by name."""

    items: list[PatientShape]
    next: str | None


class ImportRefusal(Shape):
    """A row that was not taken; the header is line 1."""

    line: int
    reason: str


class ImportReport(Shape):
    """What an import did."""

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
    kind: Annotated[str, Field(description="As the Bot API calls it: photo, voice, document…")]
    type: Annotated[str | None, Field(description="The MIME type that the file's bytes show, once it was opened.")]
    size: Annotated[int | None, Field(description="In bytes, as far as it is known.")]
    link: Annotated[str | None, Field(description="GET gives the file; null where it can't be had any more.")]
    unavailable: Annotated[str | None, Field(description="Why it can't be had.")]


class WordingShape(Shape):
    """Words that the patient has replaced by editing the message."""

    at: Instant
    text: str
    media: Annotated[MediaShape | None, Field(description="The file that came with them, if it was another one.")]
    map: Annotated[str | None, Field(description="Where a live location was on a map, before it moved.")]


class ConversationItem(Shape):
    """Something that was written, either way."""

    at: Instant
    direction: Literal["out", "in"]
    text: Annotated[str, Field(description="As it was written; of an edited one, the newest wording.")]
    message: Annotated[uuid.UUID | None, Field(description="The Message that it is, or that it answers.")]
    kind: Literal["message", "text", "tap", "other"]
    by: Annotated[str | None, Field(description="Who wrote a single message or an answer.")]
    media: Annotated[MediaShape | None, Field(description="The file that came with it.")]
    map: Annotated[str | None, Field(description="Where a place that the patient sent lies on a map.")]
    edited_at: Annotated[Instant | None, Field(description="When the patient last edited it.")]
    earlier: Annotated[list[WordingShape], Field(description="Its wordings before it was edited, oldest first.")]


class Conversation(Shape):
    """A page of what went back and forth, oldest first."""

    items: list[ConversationItem]
    next: str | None


def item_shape(item: Item) -> ConversationItem:
    """Something that was written, as the API shows it."""
    return ConversationItem(
        at=item.at,
        direction=item.direction,
        text=item.text,
        message=item.message,
        kind=item.kind,
        by=item.by or None,
        media=media_shape_of(item.media) if item.media else None,
        map=item.map_link or None,
        edited_at=item.edited_at,
        earlier=[
            WordingShape(
                at=one.at,
                text=one.text,
                media=media_shape_of(one.media) if one.media else None,
                map=one.map_link or None,
            )
            for one in item.earlier
        ],
    )


def media_shape_of(file: Media) -> MediaShape:
    """A file, with where to get it."""
    why = why_not(file)
    return MediaShape(
        id=file.id,
        kind=file.kind,
        type=file.type or None,
        size=file.size,
        link=None if why else f"/api/scheduler/media/{file.id}",
        unavailable=why or None,
    )


def shape_of(patient: Patient, clinic: Clinic) -> PatientShape:
    """A patient, with the cohorts by name."""
    obstacle = obstacle_of(patient, clinic)
    return PatientShape(
        id=patient.id,
        external_id=patient.external_id,
        name=patient.name,
        birth_date=patient.birth_date.isoformat() if patient.birth_date else None,
        phone=patient.phone or None,
        telegram_id=patient.telegram_id,
        caregiver=patient.caregiver or None,
        timezone=patient.timezone,
        language=patient.language,
        cohorts=sorted(cohort.name for cohort in patient.cohorts.all()),
        consent=patient.consent,
        reachable=obstacle is None,
        unreachable_reason=obstacle.sentence if obstacle else None,
        unreachable_code=obstacle.code if obstacle else None,
        telegram_id_check=telegram_check(patient).value or "not_asked",
        paused_until=patient.paused_until.isoformat() if patient.paused_until else None,
        paused_reason=patient.paused_reason or None,
    )
