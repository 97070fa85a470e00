"""Enrolment and consent: invitations, notes about failed invitations, and the history of a patient's consent."""

import uuid
from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field, StrictBool, StrictStr

from companion.api.examples import enrolment as examples
from companion.api.operations import JSON, Operation, caller_of, operation
from companion.api.paging import Parameters
from companion.api.patient_shapes import EnrolmentShape
from companion.api.values import Body, Id, Instant, NoBody, OneLine, Shape, Whole
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.patients import consent, enrolment, enrolment_notes, queries
from companion.patients.enrolment import CARDS, Card
from companion.patients.models import Consent, EnrolmentNote, Patient
from companion.service.clock import database_now

router = Router(tags=["patients"])


class NewEnrolments(Body):
    """The patients to invite: a list of patients, or the patients of a cohort whom we can't reach yet."""

    patients: Annotated[list[Id] | None, Field(max_length=CARDS)] = None
    cohort: Annotated[StrictStr | None, Field(max_length=200, description="The cohort's id or name.")] = None
    everybody: Annotated[
        StrictBool, Field(description="true: also invite those patients of the cohort whom we can reach already.")
    ] = False
    limit: Annotated[Whole, Field(ge=1, le=CARDS)] = CARDS
    cursor: Annotated[StrictStr | None, Field(max_length=2000, description="The `next` of the previous answer.")] = None


class Person(Shape):
    """A patient, with the values that tell patients of the same name apart."""

    id: uuid.UUID
    external_id: str
    name: str
    birth_date: Annotated[str | None, Field(json_schema_extra={"format": "date"})]


class CardShape(EnrolmentShape):
    """A one-time invitation for one patient, with an explanation in the patient's language."""

    patient: Person
    sentence: str


class CardList(Shape):
    """Invitations, in the order of the patients' names. `next` leads to the rest of the cohort."""

    items: list[CardShape]
    next: str | None


class NoteParameters(Parameters):
    """The filter for notes."""

    patient: Annotated[OneLine | None, Field(max_length=100, description="A patient's id.")] = None


class NoteShape(Shape):
    """A note about an invitation that failed, or about a chat that staff should confirm."""

    kind_of_object = "enrolment note"
    id: uuid.UUID
    patient: Person
    kind: Literal["used", "expired", "taken", "not_me", "exchanged", "given_on"]
    message: Annotated[str, Field(description="What happened and what to do.")]
    at: Instant
    times: int
    seen_at: Instant | None
    seen_by: str | None


class NoteList(Shape):
    """The notes that nobody has marked as seen, the newest first, at most 100."""

    items: list[NoteShape]
    next: str | None


class ConsentShape(Shape):
    """A change of a patient's consent."""

    at: Instant
    consent: Literal["unknown", "given", "withdrawn"]
    source: str
    wording: Annotated[str | None, Field(description="The version of the wording to which the patient agreed.")]


class ConsentHistory(Shape):
    """The changes of a patient's consent, the newest first, at most 100."""

    items: list[ConsentShape]
    next: str | None


class NewConsent(Body):
    """A consent that a patient gave or withdrew when talking with staff."""

    consent: Literal["given", "withdrawn"]


@operation(
    router,
    Operation(
        "POST",
        "/enrolments",
        Role.PROVIDER,
        CardList,
        examples.CARDS,
        body_example=examples.NEW_CARDS,
        media_type=JSON,
        creates=True,
        refuses=frozenset({404}),
    ),
)
def invite_patients(request: HttpRequest, body: NewEnrolments) -> CardList:
    """Make a one-time invitation for each of many patients, to be printed and handed out."""
    caller, now = caller_of(request), database_now()
    if (body.patients is None) == (body.cohort is None):
        raise Refused(Problem("patients", "Name either patients or a cohort."))
    if body.patients is not None:
        people, more = queries.some(caller.clinic, body.patients), None
    else:
        cohort = str(queries.cohort(caller.clinic, body.cohort or "").id)
        page = queries.page(queries.to_invite(caller.clinic, cohort, everybody=body.everybody), body.cursor, body.limit)
        people, more = page.items, page.next
    return CardList(items=[_card(card) for card in enrolment.invite_many(caller, people, now=now)], next=more)


@operation(
    router,
    Operation(
        "GET",
        "/enrolment-notes",
        Role.VIEWER,
        NoteList,
        examples.NOTES,
        query=NoteParameters,
        refuses=frozenset({404}),
    ),
)
def list_notes(request: HttpRequest, query: Query[NoteParameters]) -> NoteList:
    """List the notes that nobody has marked as seen: failed invitations, and chats to be confirmed."""
    clinic = caller_of(request).clinic
    patient = queries.patient(clinic, query.patient) if query.patient else None
    return NoteList(items=[_note(note) for note in enrolment_notes.unseen(clinic, patient=patient)], next=None)


@operation(
    router,
    Operation(
        "POST", "/enrolment-notes/{id}/seen", Role.PROVIDER, NoteShape, examples.NOTE, body_example={}, media_type=JSON
    ),
)
def see_note(request: HttpRequest, id: UUID, body: NoBody = None) -> NoteShape:
    """Mark a note as seen. The list no longer shows it."""
    return _note(enrolment_notes.see(caller_of(request), id, now=database_now()))


@operation(router, Operation("GET", "/patients/{id}/consent", Role.VIEWER, ConsentHistory, examples.CONSENT))
def read_consent(request: HttpRequest, id: UUID) -> ConsentHistory:
    """Read the history of a patient's consent: each change, when it was made, and by whom."""
    return _history(queries.patient(caller_of(request).clinic, id))


@operation(
    router,
    Operation(
        "POST",
        "/patients/{id}/consent",
        Role.PROVIDER,
        ConsentHistory,
        examples.CONSENT,
        body_example=examples.NEW_CONSENT,
        media_type=JSON,
        refuses=frozenset({409}),
    ),
)
def note_consent(request: HttpRequest, id: UUID, body: NewConsent) -> ConsentHistory:
    """Record a consent that the patient gave or withdrew elsewhere. Only the patient's Start undoes an opt-out."""
    caller = caller_of(request)
    patient = queries.patient(caller.clinic, id)
    return _history(consent.note(caller, patient, Consent(body.consent), now=database_now()))


def _history(patient: Patient) -> ConsentHistory:
    changes = [
        ConsentShape(at=change.at, consent=change.consent, source=change.source, wording=change.wording or None)
        for change in consent.history(patient)
    ]
    return ConsentHistory(items=changes, next=None)


def _card(card: Card) -> CardShape:
    invitation = card.invitation
    return CardShape(
        patient=_person(card.patient),
        link=invitation.link,
        qr_svg=invitation.qr_svg,
        expires_at=invitation.expires_at,
        sentence=card.words.how,
    )


def _note(note: EnrolmentNote) -> NoteShape:
    return NoteShape(
        id=note.id,
        patient=_person(note.patient),
        kind=note.kind,
        message=enrolment_notes.sentence(note),
        at=note.at,
        times=note.times,
        seen_at=note.seen_at,
        seen_by=note.seen_by or None,
    )


def _person(patient: Patient) -> Person:
    return Person(
        id=patient.id,
        external_id=patient.external_id,
        name=patient.name,
        birth_date=patient.birth_date.isoformat() if patient.birth_date else None,
    )
