"""Import many patients from a CSV, and report every row. A wrong row doesn't stop the other rows.

DESIGN.md, `POST /patients/import`, explains the columns; directory.py and fields.py check the values.
"""

import datetime as dt
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Role
from companion.clinics.refusals import Problem, Refused
from companion.patients import csv_rows, directory, upsert
from companion.patients.csv_rows import BrokenRow, Header, Lines, NotReadable, Row
from companion.patients.fields import COHORT_SEPARATOR, NO_EXTERNAL_ID, Given, read_given
from companion.patients.row_changes import Entry
from companion.patients.upsert import BATCH, RefusedRow, Stored, reason_of

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
AGAIN: Final = "Import the file again."


@dataclass(frozen=True, slots=True)
class Report:
    """The result of each row. `ignored` holds the columns that we don't use."""

    added: int
    changed: int
    unchanged: int
    refused: list[RefusedRow]
    ignored: tuple[str, ...] = ()


def import_csv(
    caller: Caller, file: BinaryIO, *, now: dt.datetime, progress: Callable[[int, int], None] | None = None
) -> Report:
    """Import all valid rows in batches, each in its own transaction.

    `progress` gets the number of bytes read and the total (0 if the file can't tell). Raises Refused if the whole
    file can't be read, and NotAllowed for a viewer.
    """
    caller.needs(Role.PROVIDER)
    total = _size(file)
    lines = Lines(file)
    try:
        header = header_of(lines)
    except NotReadable as why:
        raise Refused(Problem("file", str(why))) from None
    columns = columns_of(header)
    report = Report(0, 0, 0, [], tuple(name for name in header.columns if name and _column(name) not in COLUMNS))
    seen: dict[str, int] = {}
    rows = csv_rows.read_rows(lines, columns, header.delimiter)
    for batch in _batches(rows):
        stored = upsert.store(caller, _distinct(batch, seen, report.refused, now=now), AGAIN, now=now)
        report = _sum(report, stored)
        if progress:
            progress(lines.bytes_read, total)
    with transaction.atomic():
        counts = {"added": report.added, "changed": report.changed, "refused": len(report.refused)}
        changes = audit.differences({}, counts)
        audit.record(caller, "patients imported", "clinic", caller.clinic.id, now=now, changes=changes)
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


def header_of(lines: Lines) -> Header:
    """Find the line that names the columns. Raises NotReadable if there is none."""
    return csv_rows.read_header(lines, lambda name: _column(name) in COLUMNS)


def columns_of(header: Header) -> tuple[str, ...]:
    """The columns by our names. Raises Refused if a column is missing or appears twice."""
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
) -> list[Entry]:
    """Return the valid rows, and add the others to `refused`. `seen` holds the line where each id came first."""
    reads = []
    for row in batch:
        if isinstance(row, BrokenRow):
            refused.append(RefusedRow(row.line, row.reason))
            continue
        try:
            given = given_of(row, today=directory.latest_date(now))
        except Refused as refusal:
            refused.append(RefusedRow(row.line, reason_of(refusal)))
            continue
        first = seen.setdefault(given["external_id"], row.line)
        if first == row.line:
            reads.append(Entry(row.line, given))
        else:
            unseen = " The two ids differ only by invisible characters." if given["external_id_written"] else ""
            refused.append(RefusedRow(row.line, f"external_id: Line {first} has this id already.{unseen}"))
    return reads


def given_of(row: Row, *, today: dt.date) -> Given:
    """A row's values; an empty cell counts as not given. Raises Refused."""
    values: dict[str, object] = {}
    for column in COLUMNS:
        cell = row.cells.get(column, "").strip()
        if column == "cohorts":
            if names := split_cohorts(cell):
                values[column] = names
        elif cell:
            values[column] = cell
    if "external_id" not in values:
        raise Refused(Problem("external_id", NO_EXTERNAL_ID))
    return read_given(values, today=today)


def split_cohorts(cell: str) -> list[str]:
    """Split a cell of a CSV into the names of cohorts."""
    return [name.strip() for name in cell.split(COHORT_SEPARATOR) if name.strip()]


def _sum(report: Report, stored: Stored) -> Report:
    return replace(
        report,
        added=report.added + stored.added,
        changed=report.changed + stored.changed,
        unchanged=report.unchanged + stored.unchanged,
        refused=report.refused + stored.refused,
    )
