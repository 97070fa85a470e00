"""The kinds of objects that have an ETag, the facts that each tag covers, and the last change of each object.

A tag covers the values that people and Telegram set. It leaves out values that are computed for one answer (a
schedule's `next`, a message's `on_its_way`), so that a tag stays valid until somebody changes the object.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.db.models import Model, QuerySet

from companion.clinics import versions
from companion.clinics.models import Clinic
from companion.clinics.versions import Change, columns_of
from companion.listener.conversation import answers_of
from companion.listener.models import Conversation
from companion.patients.models import Cohort, ConsentChange, EnrolmentNote, Patient, PatientSource, SyncRun
from companion.patients.queries import cohorts
from companion.patients.reach import obstacle_of, telegram_check
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.wording import newest_version

_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Kind(Generic[_Row]):
    """A kind of object. `rows` selects the clinic's objects; the tag changes with `facts`."""

    name: str
    rows: Callable[[Clinic], QuerySet[_Row]]
    facts: Callable[[_Row], object]
    subjects: Callable[[_Row], list[uuid.UUID]] = lambda row: [row.pk]
    actions: tuple[str, ...] = ()
    """The acts in the audit trail that change the object; empty: every act on one of its subjects."""
    unaudited: Callable[[_Row], list[Change]] = lambda _: []
    """Changes that are not in the audit trail: by the patient, or by the outcome of sending."""

    def find(self, clinic: Clinic, id: uuid.UUID | None, *, lock: bool = False) -> _Row | None:
        """Return the clinic's object with this id (None: the only object of this kind), or None if it doesn't exist."""
        rows = self.rows(clinic)
        wanted = rows.filter(pk=id) if id else rows
        return versions.hold(wanted) if lock else wanted.first()

    def tag(self, row: _Row) -> str:
        """Return the object's present ETag."""
        return self.tags(row)[0]

    def tags(self, row: _Row) -> list[str]:
        """Return the object's ETag under each secret key. A program may hold a tag that an earlier key made."""
        return versions.tags_of(self.name, [str(row.pk), self.facts(row)])

    def last_change(self, clinic: Clinic, row: _Row) -> Change | None:
        """Return the last change that was recorded, or None."""
        changes = [*versions.changes(clinic, self.subjects(row), actions=self.actions), *self.unaudited(row)]
        return max(changes, key=lambda change: change.at, default=None)


def _schedule(row: Schedule) -> object:
    return (
        columns_of(row, without=("planned_until", "next_plan_at")),
        sorted(str(patient) for patient in row.recipient_rows.values_list("patient_id", flat=True)),
        newest_version(row).id,
    )


_OF_THE_DISPATCHER: Final = ("ready_at", "lease_until", "open_attempt_id", "tries", "resends")


def _message(row: Message) -> object:
    return columns_of(row, without=_OF_THE_DISPATCHER), answers_of([row]).get(row.pk)


def _ended(row: Message) -> list[Change]:
    if row.ended_at is None:
        return []
    return [Change("service", "dispatcher", row.ended_at, f"message {Status(row.status).value}")]


def _patient(row: Patient) -> object:
    names = sorted(row.cohorts.values_list("name", flat=True))
    # The obstacle also depends on the clinic's settings.
    obstacle = obstacle_of(row, row.clinic)
    reach = obstacle.code if obstacle else None, telegram_check(row)
    return columns_of(row, without=("search", "verified", "verified_id")), names, reach


def _consent_changes(row: Patient) -> list[Change]:
    newest = ConsentChange.objects.filter(patient=row).order_by("-at", "-id").first()
    if newest is None:
        return []
    kind, _, _ = newest.source.partition(":")
    return [Change(kind, newest.source, newest.at, f"consent {newest.consent}")]


def _cohort(row: Cohort) -> object:
    members = row.memberships.order_by("id").values_list("patient_id", flat=True)
    # The query computes `size`; the model's type doesn't have it.
    return columns_of(row), vars(row)["size"], [str(patient) for patient in members]


def _last_reply(row: Conversation) -> list[Change]:
    last = row.last_reply
    return [Change("patient", "patient", last.at, "reply")] if last else []


def _clinics(clinic: Clinic) -> QuerySet[Clinic]:
    return Clinic.objects.filter(pk=clinic.pk)


SCHEDULE: Final = Kind("schedule", lambda clinic: Schedule.objects.filter(clinic=clinic), _schedule)
MESSAGE: Final = Kind(
    "message",
    lambda clinic: Message.objects.filter(clinic=clinic),
    _message,
    subjects=lambda row: [row.pk, *([row.schedule_id] if row.schedule_id else [])],
    unaudited=_ended,
)
PATIENT: Final = Kind(
    "patient", lambda clinic: Patient.objects.filter(clinic=clinic), _patient, unaudited=_consent_changes
)
COHORT: Final = Kind("cohort", cohorts, _cohort)
CONVERSATION: Final = Kind(
    "conversation", lambda clinic: Conversation.objects.filter(clinic=clinic), columns_of, unaudited=_last_reply
)
NOTE: Final = Kind("enrolment note", lambda clinic: EnrolmentNote.objects.filter(clinic=clinic), columns_of)
SOURCE: Final = Kind(
    "patient source",
    lambda clinic: PatientSource.objects.filter(clinic=clinic),
    lambda row: columns_of(row, without=("reached", "whole_at", "next_at", "running_until")),
)
RUN: Final = Kind("sync run", lambda clinic: SyncRun.objects.filter(clinic=clinic), columns_of)
URGENT_HELP: Final = Kind(
    "list of words",
    _clinics,
    lambda row: (row.urgent_words, row.urgent_phone),
    actions=("words for urgent help changed",),
)

_BY_ADDRESS: Final[dict[str, Kind[Any]]] = {  # Any: each is of another model
    "/schedules/{id}": SCHEDULE,
    "/messages/{id}": MESSAGE,
    "/mcp/unknown/{id}": MESSAGE,
    "/patients/{id}": PATIENT,
    "/cohorts/{id}": COHORT,
    "/inbox/{id}": CONVERSATION,
    "/enrolment-notes/{id}": NOTE,
    "/patient-sources/{id}": SOURCE,
    "/sync-runs/{id}": RUN,
    "/urgent-help": URGENT_HELP,
}
_BY_NAME: Final = {kind.name: kind for kind in _BY_ADDRESS.values()}


def kind_at(path: str) -> Kind[Any] | None:  # Any: as above
    """Return the kind of the object at this address, or of the object whose part or action it is; else None."""
    kinds = (kind for address, kind in _BY_ADDRESS.items() if f"{path}/".startswith(f"{address}/"))
    return next(kinds, None)


def kind_called(name: str) -> Kind[Any] | None:  # Any: as above
    """Return the kind with this name, or None for a shape that shows no object."""
    return _BY_NAME.get(name)
