"""Files from people: a mistake in them costs only its own row, or the file is refused with a sentence."""

import csv
import io
from collections.abc import Sequence
from typing import Final

from companion.clinics.refusals import Refused
from companion.clinics.sealed import CannotOpen, seal_bytes, unseal
from companion.listener.file_types import SUFFIXES, type_of
from companion.patients.csv_rows import BrokenRow, Lines, NotReadable, Row, read_rows
from companion.patients.importing import columns_of, given_of, header_of
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed

_CELLS: Final = ("external_id", "name", "sep=;", '""', ";", "\t", "|", "P-1", "5000000001", "24.12.1980", "\r")


def rows_of(raw: bytes) -> tuple[Sequence[str], list[Row | BrokenRow]]:
    lines = Lines(io.BytesIO(raw))
    header = header_of(lines)
    return header.columns, list(read_rows(lines, header.columns, header.delimiter))


@fuzzed("csv", *_CELLS)
def test_no_file_ends_an_import_other_than_by_a_refusal(raw: bytes) -> None:
    lines = Lines(io.BytesIO(raw))
    try:
        header = header_of(lines)
        columns = columns_of(header)
    except (NotReadable, Refused):
        return

    last = 0
    for row in read_rows(lines, columns, header.delimiter):
        assert row.line > last
        last = row.line
        if isinstance(row, Row):
            try:
                values = given_of(row, today=NOW.date())
            except Refused:
                continue
            # Each accepted value can be stored.
            assert "\0" not in str(values)
            str(values).encode()
    assert lines.bytes_read == len(raw)


@fuzzed("csv", *_CELLS)
def test_a_table_that_a_spreadsheet_has_written_again_reads_the_same(raw: bytes) -> None:
    try:
        columns, rows = rows_of(raw)
    except NotReadable:
        return
    read = [row.cells for row in rows if isinstance(row, Row)]
    cells = [*columns, *(cell for row in read for cell in row.values())]
    if len(set(columns)) < len(columns) or any("\r" in cell for cell in cells):
        return

    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, delimiter=",", quoting=csv.QUOTE_ALL, restval="")
    writer.writeheader()
    writer.writerows(read)
    lines = Lines(io.BytesIO(out.getvalue().encode()))
    next(read_rows(lines, columns, ","), None)
    again = [row.cells for row in read_rows(lines, columns, ",") if isinstance(row, Row)]

    assert again == [{name: row.get(name, "") for name in columns} for row in read]


@fuzzed("file_begin", "ftyp", "WEBP", "<svg", "%PDF-", "GIF8")
def test_any_file_of_a_patient_has_a_type_that_runs_nothing(raw: bytes) -> None:
    found = type_of(raw)

    assert found in SUFFIXES
    assert found == type_of(raw[:16])


@fuzzed("sealed", "\x01", "\x02")
def test_no_made_up_value_is_opened_as_a_sealed_value(raw: bytes) -> None:
    genuine = seal_bytes(raw, "here")
    assert unseal(seal_bytes(b"words", "here"), "here") == "words"

    for stored in (raw, genuine[: len(raw)], genuine[:-1] + bytes([genuine[-1] ^ 1]), genuine + raw + b"x"):
        try:
            unseal(stored, "here")
        except CannotOpen:
            continue
        raise AssertionError("a value that nobody sealed was opened")
