"""Insert and update many patients: compare the given rows with the stored rows and write the differences.

The caller reads the rows (from a CSV file or a source) and checks each value.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from django.db import IntegrityError, transaction

from companion.clinics import audit, marks, opt_outs
from companion.clinics.access import Caller
from companion.clinics.models import MarkKind
from companion.clinics.refusals import Refused
from companion.patients import cohorts, consent_history, directory, former_chats, former_patients, row_changes
from companion.patients.models import CohortMember, Enrolment, Patient
from companion.patients.row_changes import Entry, RowChanges
from companion.service.wake import ring

BATCH: Final = 200
"""The number of rows in one transaction: few, so that others wait only a moment for the database."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused row. `line` is its first line in the file; the header is line 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Touched:
    """A changed patient; `what` names the change: "added", "left", "name, cohorts"."""

    external_id: str
    what: str


@dataclass(frozen=True, slots=True)
class Stored:
    """The number of rows by result. `left` counts patients who have newly left."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    left: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    touched: list[Touched] = field(default_factory=list)

    def plus(self, other: "Stored") -> "Stored":
        """The sum of both."""
        return Stored(
            self.added + other.added,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.left + other.left,
            self.refused + other.refused,
            self.touched + other.touched,
        )


def store(caller: Caller, entries: Sequence[Entry], again: str, *, now: dt.datetime) -> Stored:
    """Store the entries in one transaction; one by one if somebody else stores one of the patients at the same time.

    `again` ends the reason for a patient who could not be stored for this: what to do.
    """
    if not entries:
        return Stored()
    try:
        with transaction.atomic():
            return _store(caller, entries, now=now)
    except IntegrityError:
        if len(entries) == 1:
            reason = f"Somebody else changed this patient, or gave this id to another, just now. {again}"
            return Stored(refused=[RefusedRow(entries[0].line, reason)])
    stored = Stored()
    for entry in entries:
        stored = stored.plus(store(caller, [entry], again, now=now))
    return stored


def reason_of(refusal: Refused) -> str:
    """All that is wrong with a row, in one line."""
    return " ".join(f"{problem.field}: {problem.message}" for problem in refusal.problems)


def _store(caller: Caller, entries: Sequence[Entry], *, now: dt.datetime) -> Stored:
    """Compare the entries with the stored rows and write the differences. Needs a transaction."""
    existing, held, owners = _look_up(caller, entries)
    stopped = _stopped(caller, entries, existing)
    enrolled, bots = _enrolled(caller, entries, existing), directory.own_bots(caller.clinic)
    staying = [entry.given["external_id"] for entry in entries if not entry.left]
    gone = former_patients.refusals_of(caller.clinic, staying)
    planned: list[RowChanges] = []
    refused: list[RefusedRow] = []
    for entry in entries:
        external_id = entry.given["external_id"]
        patient = existing.get(external_id)
        if patient is None and external_id in gone:
            refused.append(RefusedRow(entry.line, gone[external_id]))
            continue
        try:
            if patient:
                directory.refuse_a_lookalike(entry.given, patient)
            if entry.left:
                plan = row_changes.leaving(patient, now=now)
            else:
                read = entry.without_telegram_id() if patient and patient.id in enrolled else entry
                directory.refuse_a_bot(read.given.get("telegram_id"), bots)
                cohorts = held.get(external_id, frozenset())
                plan = row_changes.changes_of(caller, read, patient, cohorts, owners, stopped, now=now)
        except Refused as refusal:
            refused.append(RefusedRow(entry.line, reason_of(refusal)))
            continue
        if plan:
            planned.append(plan)
    _write(caller, planned, now=now)
    added, left = sum(plan.added for plan in planned), sum(plan.left for plan in planned)
    unchanged = len(entries) - len(planned) - len(refused)
    touched = [Touched(plan.patient.external_id, plan.what) for plan in planned]
    return Stored(added, len(planned) - added - left, unchanged, left, refused, touched)


def _enrolled(caller: Caller, entries: Sequence[Entry], existing: Mapping[str, Patient]) -> set[uuid.UUID]:
    """Return the patients who keep the Telegram ID that their own Start set."""
    enrolled = [
        entry.given["external_id"] for entry in entries if entry.keeps_enrolled and "telegram_id" in entry.given
    ]
    linked = [existing[id].id for id in enrolled if id in existing and existing[id].telegram_id is not None]
    used = Enrolment.objects.filter(clinic=caller.clinic, patient__in=linked, used_at__isnull=False)
    return set(used.values_list("patient_id", flat=True))


def _stopped(caller: Caller, entries: Sequence[Entry], existing: Mapping[str, Patient]) -> frozenset[int]:
    """Return the opted-out chats among all chats in which these patients are or will be reached."""
    chats = {entry.given.get("telegram_id") for entry in entries} | {
        patient.telegram_id for patient in existing.values()
    }
    return opt_outs.stopped_among(caller.clinic, [chat for chat in chats if chat is not None])


class _Rows(NamedTuple):
    """The stored rows for a batch: patients and cohorts by external id, and the owners of Telegram IDs."""

    existing: dict[str, Patient]
    cohorts: dict[str, frozenset[str]]
    owners: dict[int, str]


def _look_up(caller: Caller, entries: Sequence[Entry]) -> _Rows:
    """Look up the rows of these entries, and lock the patients."""
    clinic = caller.clinic
    ids = [entry.given["external_id"] for entry in entries]
    found = Patient.objects.select_for_update().filter(clinic=clinic, external_id__in=ids).order_by("id")
    existing = {patient.external_id: patient for patient in found}
    held: dict[str, set[str]] = {}
    memberships = CohortMember.objects.filter(clinic=clinic, patient__in=list(existing.values()))
    for external_id, cohort in memberships.values_list("patient__external_id", "cohort__name"):
        held.setdefault(external_id, set()).add(cohort)
    telegram_ids = {entry.given.get("telegram_id") for entry in entries} - {None}
    owned = Patient.objects.filter(clinic=clinic, telegram_id__in=telegram_ids, caregiver="")
    owners = {
        telegram_id: owner for telegram_id, owner in owned.values_list("telegram_id", "external_id") if telegram_id
    }
    return _Rows(existing, {key: frozenset(names) for key, names in held.items()}, owners)


def _write(caller: Caller, planned: Sequence[RowChanges], *, now: dt.datetime) -> None:
    clinic = caller.clinic
    Patient.objects.bulk_create([plan.patient for plan in planned if plan.added])
    # An upsert by primary key is much faster than bulk_update, which writes a CASE for each column and row.
    Patient.objects.bulk_create(
        [plan.patient for plan in planned if not plan.added],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=directory.COLUMNS,
    )
    consent_history.keep([change for plan in planned for change in plan.history], now=now)
    for action, added in (("patient added by an import", True), ("patient changed by an import", False)):
        changes = {plan.patient.id: plan.audited for plan in planned if plan.added == added}
        audit.record_many(caller, action, "patient", changes, now=now)
    former_chats.keep([plan.left_chat for plan in planned if plan.left_chat])
    former_chats.tell_of_given([plan.patient for plan in planned if plan.new_chat], now=now)
    _set_cohorts(caller, {plan.patient.id: plan.cohorts for plan in planned if plan.cohorts is not None}, now=now)
    if marked := [plan.patient.id for plan in planned if plan.marked]:
        marks.leave_many(clinic, MarkKind.PATIENT, marked, now=now)
        ring()


def _set_cohorts(caller: Caller, moved: Mapping[uuid.UUID, frozenset[str]], *, now: dt.datetime) -> None:
    """Put each patient into exactly these cohorts."""
    if not moved:
        return
    names = frozenset[str]().union(*moved.values())
    by_name = {cohort.name: cohort for cohort in cohorts.named(caller, names, now=now)}
    CohortMember.objects.filter(clinic=caller.clinic, patient__in=moved).delete()
    CohortMember.objects.bulk_create(
        CohortMember(clinic=caller.clinic, cohort=by_name[name], patient_id=patient)
        for patient, names in moved.items()
        for name in sorted(names)
    )
