"""Patients: the directory, import, invitations, conversations. The rules are in patients/ and listener/."""

from collections.abc import Callable
from typing import BinaryIO, Final, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import File, Query, Router
from ninja.files import UploadedFile

from companion.api.examples import patients as examples
from companion.api.operations import JSON, MULTIPART, Operation, caller_of, operation
from companion.api.paging import cursor_of, read_cursor
from companion.api.patient_answers import conversation_item_of, patient_of
from companion.api.patient_shapes import (
    ChangedPatient,
    Conversation,
    ConversationParameters,
    EnrolmentShape,
    ImportRefusal,
    ImportReport,
    NewPatient,
    PatientChanges,
    PatientList,
    PatientParameters,
    PatientShape,
)
from companion.api.values import NoBody
from companion.api.warning_shapes import warning_shapes
from companion.clinics.models import Role
from companion.listener import readings
from companion.listener.conversation import conversation
from companion.patients import directory, enrolment, pausing, queries
from companion.patients.importing import import_csv
from companion.planning import marks
from companion.planning.warnings import of_days
from companion.service.clock import database_now

router = Router(tags=["patients"])
_ONE: Final = "/patients/{id}"
_CONVERSATION: Final = "conversation"


@operation(
    router,
    Operation(
        "POST",
        "/patients",
        Role.PROVIDER,
        PatientShape,
        examples.PATIENT,
        body_example=examples.NEW_PATIENT,
        media_type=JSON,
        creates=True,
        location="read_patient",
    ),
)
def add_patient(request: HttpRequest, body: NewPatient) -> PatientShape:
    """Add a patient."""
    caller = caller_of(request)
    return patient_of(directory.add(caller, body.given(), now=database_now()), caller.clinic)


@operation(
    router,
    Operation(
        "POST",
        "/patients/import",
        Role.PROVIDER,
        ImportReport,
        examples.IMPORT_REPORT,
        media_type=MULTIPART,
        long=True,
    ),
)
def import_patients(request: HttpRequest, file: File[UploadedFile]) -> ImportReport:
    """Import patients from a CSV file. A row with a wrong value is refused as a whole; the report names its line."""
    report = import_csv(caller_of(request), cast(BinaryIO, file), now=database_now())
    return ImportReport(
        added=report.added,
        changed=report.changed,
        unchanged=report.unchanged,
        refused=[ImportRefusal(line=row.line, reason=row.reason) for row in report.refused],
    )


@operation(
    router,
    Operation("GET", "/patients", Role.VIEWER, PatientList, examples.PATIENTS, query=PatientParameters),
)
def list_patients(request: HttpRequest, query: Query[PatientParameters]) -> PatientList:
    """List patients by name."""
    clinic = caller_of(request).clinic
    patients = queries.patients(
        clinic, q=query.q, cohort=query.cohort, reachable=query.reachable, why=query.unreachable_code
    )
    page = queries.page(patients, query.cursor, query.limit)
    return PatientList(items=[patient_of(patient, clinic) for patient in page.items], next=page.next)


@operation(router, Operation("GET", _ONE, Role.VIEWER, PatientShape, examples.PATIENT))
def read_patient(request: HttpRequest, id: UUID) -> PatientShape:
    """Read one patient."""
    clinic = caller_of(request).clinic
    return patient_of(queries.patient(clinic, id), clinic)


@operation(
    router,
    Operation(
        "PATCH",
        _ONE,
        Role.PROVIDER,
        ChangedPatient,
        examples.CHANGED_PATIENT,
        body_example=examples.PATIENT_CHANGES,
        media_type=JSON,
    ),
)
def change_patient(request: HttpRequest, id: UUID, body: PatientChanges) -> Callable[[], ChangedPatient]:
    """Change a patient, or pause the patient's messages. A new Telegram ID sets consent `given` back to `unknown`."""
    caller, now = caller_of(request), database_now()
    values = body.given()
    pause: dict[str, object] = {name: values.pop(name) for name in ("paused_until", "paused_reason") if name in values}
    patient = queries.patient(caller.clinic, id)
    if values or not pause:
        patient = directory.change(caller, patient, values, now=now)
    if pause:
        patient = pausing.change(caller, patient, pause, now=now)
    shape = dict(patient_of(patient, caller.clinic))

    def answer() -> ChangedPatient:
        # This runs after the commit, when the patient's row is unlocked: the Planner locks schedules before patients.
        moves = marks.work_off_of(caller.clinic, id, now=now)
        return ChangedPatient(
            **shape,
            messages=moves.messages if moves else 0,
            complete=moves is not None,
            warnings=warning_shapes(of_days(moves.days) if moves else ()),
        )

    return answer


@operation(
    router,
    Operation(
        "POST",
        f"{_ONE}/enrolment",
        Role.PROVIDER,
        EnrolmentShape,
        examples.ENROLMENT,
        body_example={},
        media_type=JSON,
        creates=True,
    ),
)
def invite_patient(request: HttpRequest, id: UUID, body: NoBody = None) -> EnrolmentShape:
    """Make a one-time invitation. When the patient presses Start, the Telegram ID and the consent are set."""
    caller = caller_of(request)
    invitation = enrolment.invite(caller, queries.patient(caller.clinic, id), now=database_now())
    return EnrolmentShape(link=invitation.link, qr_svg=invitation.qr_svg, expires_at=invitation.expires_at)


@operation(
    router,
    Operation(
        "GET", f"{_ONE}/conversation", Role.VIEWER, Conversation, examples.CONVERSATION, query=ConversationParameters
    ),
)
def read_conversation(request: HttpRequest, id: UUID, query: Query[ConversationParameters]) -> Conversation:
    """Read a conversation with a patient.

    A page holds the newest messages, oldest first; `next` leads to earlier messages.
    """
    caller = caller_of(request)
    seen = int(read_cursor(_CONVERSATION, query.cursor)) if query.cursor else 0
    patient = queries.patient(caller.clinic, id)
    newest = conversation(caller.clinic, patient, limit=seen + query.limit + 1)
    readings.of_patient(caller, patient, now=database_now())
    end = len(newest) - seen
    shown = newest[max(end - query.limit, 0) : max(end, 0)]
    before = cursor_of(_CONVERSATION, str(seen + query.limit)) if end > query.limit else None
    return Conversation(items=[conversation_item_of(item) for item in shown], next=before)
