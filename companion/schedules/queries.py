"""Queries for Messages and Schedules on pages and in the API. Each starts from the clinic, and none changes a row.

They stay fast at a million rows: pages use a keyset on an index, counts stop at a thousand, and a search first finds
the patients. If few patients match, it reads the index `messages_of_a_patient`; if many match, `messages_by_due`.
"""

import base64
import binascii
import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet
from django.db.models.lookups import Exact

from companion.clinics.models import Clinic
from companion.clinics.refusals import Unknown, no_cursor
from companion.patients.models import CohortMember, Patient
from companion.patients.names import search_term
from companion.schedules import sql
from companion.schedules.models import Attempt, Follow, Message, Recipient, Schedule, State, Status

COUNTED_TO: Final = 1000
"""Counts stop here; from there on a page says "1,000+"."""
OVERDUE_AFTER: Final = dt.timedelta(seconds=30)
"""A pending message is overdue when it has been ready for this long."""
_FEW_PATIENTS: Final = 200
ATTENTION: Final = dt.timedelta(days=7)
"""A failed message needs attention for this long."""

Order = Literal["due_at", "-due_at"]


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """A filter for Messages. An empty field excludes none."""

    status: str = ""
    patient: uuid.UUID | None = None
    schedule: uuid.UUID | None = None
    cohort: uuid.UUID | None = None
    q: str = ""
    due_from: dt.datetime | None = None
    due_to: dt.datetime | None = None
    attention_since: dt.datetime | None = None
    """Only failed messages that were due since then."""
    mine: str = ""
    """The name of the member or key who planned it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of Messages, and the cursor of the next page; None on the last page."""

    items: list[Message]
    next: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of Messages in each group, at most COUNTED_TO."""

    attention: int
    pending: int
    sent: int
    failed: int
    cancelled: int


def messages(clinic: Clinic, wanted: MessageFilter) -> QuerySet[Message]:
    """The clinic's Messages that match the filter, with their patient, schedule and version; unordered."""
    # A separate query reads the clinic: with a join, SQLite would start from the clinic and sort all its Messages.
    few = few_patients(clinic, wanted)
    if few is None:
        found = Message.objects.filter(of_many(wanted), clinic=clinic)
    else:
        # These patients are the clinic's. If the clinic were named as well, SQLite would read all its Messages.
        found = Message.objects.filter(patient_id__in=few)
    found = found.exclude(follow_kind=Follow.SHOWN)
    found = found.select_related("patient", "schedule", "version").prefetch_related("clinic")
    if wanted.status:
        found = found.filter(_of_status(wanted.status))
    if wanted.schedule:
        found = found.filter(schedule_id=wanted.schedule)
    if wanted.due_from:
        found = found.filter(due_at__gte=wanted.due_from)
    if wanted.due_to:
        found = found.filter(due_at__lt=wanted.due_to)
    if wanted.attention_since:
        found = found.filter(_attention(wanted.attention_since))
    if wanted.mine:
        mine = Q(schedule__created_by_name=wanted.mine) | Q(created_by_name=wanted.mine, schedule=None)
        found = found.filter(mine)
    return found


def _of_status(status: str) -> Q | Func:
    """The condition that a Message has this status."""
    # SQLite takes a range with two ends for narrow, and would read all Messages of a day to find the failed Messages.
    # "unlikely(X)" says that few have this status (sqlite.org), so that SQLite uses the index on both columns.
    if sql.is_postgresql():
        return Q(status=status)
    return Func(Exact(F("status"), status), function="unlikely", output_field=BooleanField())


def few_patients(clinic: Clinic, wanted: MessageFilter) -> list[uuid.UUID] | None:
    """The patients who match the filter's patient, cohort and `q`, if they are few; None for many or all."""
    words = search_term(wanted.q).split()
    if not (words or wanted.patient or wanted.cohort):
        return None
    like = Patient.objects.filter(*(Q(search__contains=word) for word in words), clinic=clinic).order_by()
    like = like.filter(pk=wanted.patient) if wanted.patient else like
    like = like.filter(memberships__cohort=wanted.cohort) if wanted.cohort else like
    few = list(like.values_list("id", flat=True)[: _FEW_PATIENTS + 1])
    return few if len(few) <= _FEW_PATIENTS else None


def page(found: QuerySet[Message], *, order: Order, after: str | None, limit: int) -> Page:
    """A page in the order of (due_at, id). Raises Refused for an invalid cursor."""
    back = order.startswith("-")
    if after:
        due_at, last = _read_cursor(after)
        beyond = "lt" if back else "gt"
        tie = Q(due_at=due_at, **{f"id__{beyond}": last})
        # Only the first condition limits the part of the index that is read; the second decides among equal times.
        found = found.filter(Q(**{f"due_at__{beyond}e": due_at}) & (Q(**{f"due_at__{beyond}": due_at}) | tie))
    items = list(found.order_by(order, "-id" if back else "id")[: limit + 1])
    return Page(items[:limit], _cursor(items[limit - 1]) if len(items) > limit else None)


def counts(clinic: Clinic, *, now: dt.datetime) -> Counts:
    """The numbers on the filter chips of the Messages page."""
    own = Message.objects.filter(clinic=clinic).exclude(follow_kind=Follow.SHOWN)
    by_status = {status: _capped(own.filter(status=status)) for status in Status}
    return Counts(
        attention=_capped(own.filter(_attention(now - ATTENTION))),
        pending=by_status[Status.PENDING],
        sent=by_status[Status.SENT],
        failed=by_status[Status.FAILED],
        cancelled=by_status[Status.CANCELLED],
    )


def message(clinic: Clinic, message_id: uuid.UUID) -> Message:
    """Find one of the clinic's Messages. Raises Unknown."""
    found = messages(clinic, MessageFilter()).filter(pk=message_id).first()
    if found is None:
        raise Unknown("There is no such message in this clinic.")
    return found


def schedule(clinic: Clinic, schedule_id: uuid.UUID) -> Schedule:
    """Find one of the clinic's Schedules. Raises Unknown."""
    found = schedules(clinic).filter(pk=schedule_id).first()
    if found is None:
        raise Unknown("There is no such schedule in this clinic.")
    return found


def schedules(clinic: Clinic, state: str = "") -> QuerySet[Schedule]:
    """The clinic's Schedules, newest first."""
    own = Schedule.objects.filter(clinic=clinic).select_related("clinic", "cohort").order_by("-id")
    return own.filter(state=state) if state else own


def once_to_come(clinic: Clinic) -> QuerySet[Schedule]:
    """The one-time Schedules for which the Planner has made no Messages yet, newest first.

    A person may have made some of the Messages earlier, to change them.
    """
    once = schedules(clinic, State.ACTIVE).filter(recurrence__isnull=True, next_plan_at__isnull=False)
    return once.exclude(messages__by_hand=False)


def schedules_for(patient: Patient) -> QuerySet[Schedule]:
    """The Schedules with this patient as a recipient, by name or by a cohort, newest first; also those that ended."""
    named = Recipient.objects.filter(patient=patient).values("schedule")
    cohorts = CohortMember.objects.filter(patient=patient).values("cohort")
    return schedules(patient.clinic).filter(Q(pk__in=named) | Q(cohort__in=cohorts))


def to_review(clinic: Clinic, today: dt.date) -> QuerySet[Schedule]:
    """The active Schedules that a person must look at again by today, the longest waiting first."""
    return schedules(clinic, State.ACTIVE).filter(review_on__lte=today).order_by("review_on", "id")


def attempts(of: Message) -> list[Attempt]:
    """A Message's Attempts, in their order."""
    return list(Attempt.objects.filter(clinic_id=of.clinic_id, message=of).order_by("number"))


def on_its_way(message: Message) -> bool:
    """Return whether an Attempt has begun and not ended: nobody may change the Message now."""
    return message.status == Status.PENDING and message.open_attempt_id is not None


def _attention(since: dt.datetime) -> Q:
    return Q(_of_status(Status.FAILED), due_at__gte=since)


def _capped(found: QuerySet[Message]) -> int:
    # In the order of the index: otherwise SQLite reads all Messages first.
    return found.order_by("due_at", "id")[:COUNTED_TO].count()


def of_many(wanted: MessageFilter) -> Q:
    """The condition that a row's patient matches the filter's cohort and `q`."""
    condition = Q(*(Q(patient__search__contains=word) for word in search_term(wanted.q).split()))
    if wanted.cohort:
        # With a join, SQLite would begin with the whole cohort, and sort its Messages.
        condition &= Q(Exists(CohortMember.objects.filter(cohort=wanted.cohort, patient=OuterRef("patient_id"))))
    return condition


def _cursor(last: Message) -> str:
    return base64.urlsafe_b64encode(f"{last.due_at.isoformat()} {last.id.hex}".encode()).decode().rstrip("=")


class _Position(NamedTuple):
    """A Message's place in the order of a list."""

    due_at: dt.datetime
    id: uuid.UUID


def _read_cursor(cursor: str) -> _Position:
    try:
        plain = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        due_at, _, last = plain.partition(" ")
        return _Position(dt.datetime.fromisoformat(due_at).astimezone(dt.UTC), uuid.UUID(last))
    except (ValueError, binascii.Error, OverflowError):
        raise no_cursor() from None
