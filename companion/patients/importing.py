"""Many patients at once out of a CSV, with a report that names every row. A bad row never stops the good ones.

DESIGN.md, `POST /patients/import`, says what the columns mean; directory.py and fields.py check them.
"""

import datetime as dt
import io
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from django.db import IntegrityError, transaction

from companion.clinics import audit, marks
from companion.clinics.access import Caller
from companion.clinics.models import MarkKind, Role
from companion.clinics.refusals import Problem, Refused
from companion.patients import csv_rows, directory
from companion.patients.csv_rows import BrokenRow, Header, Lines, NotReadable, Row
from companion.patients.fields import COHORT_SEPARATOR, Given, read_given
from companion.patients.models import CohortMember, ConsentChange, Patient
from companion.service.wake import ring

COLUMNS: Final = (
    "external_id",
    "name",
    "telegram_id",
    "birth_date",
    "phone",
    "caregiver",
    "timezone",
    "language",
    "cohorts",
)
NEEDED: Final = ("external_id", "name")
BATCH: Final = 200
"""Rows in one transaction: few enough that nobody else waits for the database for more than a moment."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not taken; `line` is the first of its lines in the file, the header being 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of each row. `ignored` are the columns that we have no use for."""

    added: int
    changed: int
    unchanged: int
    refused: list[RefusedRow]
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """A row whose values are right in themselves."""

    line: int
    given: Given


@dataclass(frozen=True, slots=True)
class _Planned:
    """What the database is to be told of one row."""

    patient: Patient
    cohorts: frozenset[str] | None
    """The cohorts to be in, where they change."""
    history: tuple[ConsentChange, ...]
    added: bool
    marked: bool


def import_csv(
    caller: Caller, file: BinaryIO, *, now: dt.datetime, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Takes all rows that are right, in batches, each in its own transaction.

    `progress` hears how many bytes of how many are worked off (0 where the file can't say). Raises Refused where the
    file as a whole can't be read, and NotAllowed for a viewer.
    """
    caller.needs(Role.PROVIDER)
    total = _size(file)
    lines = Lines(file)
    try:
        header = csv_rows.read_header(lines)
    except NotReadable as why:
        raise Refused(Problem("file", str(why))) from None
    columns = _columns(header)
    report = Report(0, 0, 0, [], tuple(name for name in header.columns if name and _column(name) not in COLUMNS))
    seen: dict[str, int] = {}
    rows = csv_rows.read_rows(lines, columns, header.delimiter)
    for batch in _batches(rows):
        report = _sum(report, _take(caller, _distinct(batch, seen, report.refused, now=now), now=now))
        if progress:
            progress(lines.bytes_read, total)
    with transaction.atomic():
        audit.record(caller, "patients imported", "clinic", caller.clinic.id, now=now)
    return replace(report, refused=sorted(report.refused, key=lambda row: row.line))


def _size(file: BinaryIO) -> int:
    if not file.seekable():
        return 0
    here = file.tell()
    size = file.seek(0, io.SEEK_END) - here
    file.seek(here)
    return size


def _column(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _columns(header: Header) -> tuple[str, ...]:
    """The columns by our names. Raises Refused where one is missing or stands there twice."""
    columns = tuple(_column(name) for name in header.columns)
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        sentence = f"The first line must name the columns external_id and name; missing: {', '.join(missing)}."
        raise Refused(Problem("file", sentence))
    twice = [name for name in COLUMNS if columns.count(name) > 1]
    if twice:
        raise Refused(Problem("file", f"The first line names a column twice: {', '.join(twice)}."))
    return columns


def _batches(rows: Iterator[Row | BrokenRow]) -> Iterator[list[Row | BrokenRow]]:
    batch: list[Row | BrokenRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def _distinct(
    batch: Sequence[Row | BrokenRow], seen: dict[str, int], refused: list[RefusedRow], *, now: dt.datetime
) -> list[_Read]:
    """The rows that are right in themselves; the others are added to `refused`. `seen` knows each id's first line."""
    reads = []
    for row in batch:
        if isinstance(row, BrokenRow):
            refused.append(RefusedRow(row.line, row.reason))
            continue
        try:
            given = _given(row, today=directory.latest_date(now))
        except Refused as refusal:
            refused.append(RefusedRow(row.line, _reason(refusal)))
            continue
        first = seen.setdefault(given["external_id"], row.line)
        if first == row.line:
            reads.append(_Read(row.line, given))
        else:
            refused.append(RefusedRow(row.line, f"external_id: Line {first} has this id already."))
    return reads


def _given(row: Row, *, today: dt.date) -> Given:
    """A row's values; an empty cell says nothing. Raises Refused."""
    values: dict[str, object] = {}
    for column in COLUMNS:
        cell = row.cells.get(column, "").strip()
        if column == "cohorts":
            names = [name.strip() for name in cell.split(COHORT_SEPARATOR) if name.strip()]
            if names:
                values[column] = names
        elif cell:
            values[column] = cell
    if "external_id" not in values:
        raise Refused(Problem("external_id", "Say by which id this patient is known to you."))
    return read_given(values, today=today)


def _take(caller: Caller, reads: Sequence[_Read], *, now: dt.datetime) -> Report:
    """Stores the rows in one transaction; where another door stored one of them meanwhile, one by one."""
    if not reads:
        return Report(0, 0, 0, [])
    try:
        with transaction.atomic():
            return _store(caller, reads, now=now)
    except IntegrityError:
        if len(reads) == 1:
            reason = "Somebody else changed this patient, or gave this id to another, just now. Import the file again."
            return Report(0, 0, 0, [RefusedRow(reads[0].line, reason)])
    report = Report(0, 0, 0, [])
    for read in reads:
        report = _sum(report, _take(caller, [read], now=now))
    return report


def _store(caller: Caller, reads: Sequence[_Read], *, now: dt.datetime) -> Report:
    """Compares the rows with what is there, and writes the differences. Called within a transaction."""
    existing, held, owners = _look_up(caller, reads)
    planned: list[_Planned] = []
    refused: list[RefusedRow] = []
    for read in reads:
        patient = existing.get(read.given["external_id"])
        try:
            plan = _plan(caller, read, patient, held.get(read.given["external_id"], frozenset()), owners, now=now)
        except Refused as refusal:
            refused.append(RefusedRow(read.line, _reason(refusal)))
            continue
        if plan:
            planned.append(plan)
    _write(caller, planned, now=now)
    added = sum(plan.added for plan in planned)
    return Report(added, len(planned) - added, len(reads) - len(planned) - len(refused), refused)


def _look_up(
    caller: Caller, reads: Sequence[_Read]
) -> tuple[dict[str, Patient], dict[str, frozenset[str]], dict[int, str]]:
    """By external id the patients there are, locked, and their cohorts; and whose each Telegram ID is."""
    clinic = caller.clinic
    ids = [read.given["external_id"] for read in reads]
    found = Patient.objects.select_for_update().filter(clinic=clinic, external_id__in=ids).order_by("id")
    existing = {patient.external_id: patient for patient in found}
    held: dict[str, set[str]] = {}
    places = CohortMember.objects.filter(clinic=clinic, patient__in=list(existing.values()))
    for external_id, cohort in places.values_list("patient__external_id", "cohort__name"):
        held.setdefault(external_id, set()).add(cohort)
    telegram_ids = {read.given.get("telegram_id") for read in reads} - {None}
    owned = Patient.objects.filter(clinic=clinic, telegram_id__in=telegram_ids, caregiver="")
    owners = {
        telegram_id: owner for telegram_id, owner in owned.values_list("telegram_id", "external_id") if telegram_id
    }
    return existing, {key: frozenset(names) for key, names in held.items()}, owners


def _plan(
    caller: Caller,
    read: _Read,
    existing: Patient | None,
    held: frozenset[str],
    owners: dict[int, str],
    *,
    now: dt.datetime,
) -> _Planned | None:
    """What this row changes; None for nothing. `owners` learns whose its Telegram ID now is. Raises Refused."""
    values = directory.completed(caller.clinic, read.given, existing=existing, cohorts=tuple(held))
    _claim(values, existing, owners)
    patient = existing or Patient(clinic=caller.clinic, created_at=now)
    before = _columns_of(patient)
    history = directory.put(patient, values, source=f"import by {directory.source_of(caller)}"[:64], now=now)
    patient.left_at = None
    cohorts = frozenset(values.cohorts)
    after = _columns_of(patient)
    if existing and before == after and cohorts == held:
        return None
    moved = any(before[column] != after[column] for column in ("timezone", "left_at"))
    return _Planned(
        patient,
        cohorts if cohorts != held else None,
        tuple(history),
        added=existing is None,
        marked=cohorts != held or (existing is not None and moved),
    )


def _claim(values: directory.PatientValues, existing: Patient | None, owners: dict[int, str]) -> None:
    """Refuses a Telegram ID that is another's, unless a caregiver's phone is named. Raises Refused."""
    wanted = None if values.caregiver else values.telegram_id
    owner = owners.get(wanted, values.external_id) if wanted else values.external_id
    if owner != values.external_id:
        raise Refused(Problem("telegram_id", directory.TELEGRAM_ID_TAKEN.format(external_id=owner)))
    if existing and existing.telegram_id and owners.get(existing.telegram_id) == existing.external_id:
        del owners[existing.telegram_id]
    if wanted:
        owners[wanted] = values.external_id


def _columns_of(patient: Patient) -> dict[str, object]:
    return {column: getattr(patient, column) for column in directory.COLUMNS}


def _write(caller: Caller, planned: Sequence[_Planned], *, now: dt.datetime) -> None:
    clinic = caller.clinic
    Patient.objects.bulk_create([plan.patient for plan in planned if plan.added])
    # An upsert by primary key: far quicker than bulk_update's CASE for each column and row.
    Patient.objects.bulk_create(
        [plan.patient for plan in planned if not plan.added],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=directory.COLUMNS,
    )
    ConsentChange.objects.bulk_create([change for plan in planned for change in plan.history])
    _place(caller, {plan.patient.id: plan.cohorts for plan in planned if plan.cohorts is not None}, now=now)
    if marked := [plan.patient.id for plan in planned if plan.marked]:
        marks.leave_many(clinic, MarkKind.PATIENT, marked, now=now)
        ring()


def _place(caller: Caller, moved: Mapping[uuid.UUID, frozenset[str]], *, now: dt.datetime) -> None:
    """Makes these, by patient, the cohorts that the patient is in."""
    if not moved:
        return
    names = frozenset[str]().union(*moved.values())
    cohorts = {cohort.name: cohort for cohort in directory.cohorts_named(caller, names, now=now)}
    CohortMember.objects.filter(clinic=caller.clinic, patient__in=moved).delete()
    CohortMember.objects.bulk_create(
        CohortMember(clinic=caller.clinic, cohort=cohorts[name], patient_id=patient)
        for patient, names in moved.items()
        for name in sorted(names)
    )


def _sum(one: Report, other: Report) -> Report:
    return Report(
        one.added + other.added,
        one.changed + other.changed,
        one.unchanged + other.unchanged,
        one.refused + other.refused,
        one.ignored,
    )


def _reason(refusal: Refused) -> str:
    return " ".join(f"{problem.field}: {problem.message}" for problem in refusal.problems)
