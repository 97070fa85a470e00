"""CSV files and FHIR answers: whatever they hold costs only its own row, or is refused in a sentence."""

import contextlib
import csv
import datetime as dt
import io
from collections.abc import Sequence
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from companion.clinics.refusals import Refused
from companion.patients.csv_rows import BrokenRow, Lines, NotReadable, Row, read_rows
from companion.patients.fields import read_given
from companion.patients.importing import columns_of, given_of, header_of
from companion.patients.sources.fhir_patient import TelegramAt, read_patient
from companion.patients.sources.fhir_source import next_page
from companion.patients.sources.source import SourceDown
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, json_with, texts

COLUMNS: Final = ("external_id", "name", "telegram_id", "birth_date", "language", "timezone", "cohorts", "other")
_CELLS: Final = texts | st.sampled_from(
    ["P-1", "5000000001", "1980-12-24", "24.12.1980", "pt-BR", "Europe/Berlin", '"', "a|b"]
)
_ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252")


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file that mostly looks like a list of patients."""
    between = draw(st.sampled_from([",", ";", "\t", "|"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    rows = [COLUMNS, *draw(st.lists(st.lists(_CELLS, max_size=9), max_size=5))]
    text = draw(st.sampled_from(["", "sep=;", f"sep={between}{end}", "\n"])) + end.join(map(between.join, rows))
    raw = text.encode(draw(st.sampled_from(_ENCODINGS)), "replace")
    cut = draw(st.integers(0, len(raw)))
    return raw if draw(st.booleans()) else raw[:cut] + draw(st.binary(max_size=6)) + raw[cut:]


def rows_of(raw: bytes) -> tuple[Sequence[str], list[Row | BrokenRow]]:
    lines = Lines(io.BytesIO(raw))
    header = header_of(lines)
    return header.columns, list(read_rows(lines, header.columns, header.delimiter))


@fuzzed
@given(files() | st.binary(max_size=400))
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
            # Whatever is taken can be stored.
            assert "\0" not in str(values)
            str(values).encode()
    assert lines.bytes_read == len(raw)


@fuzzed
@given(files() | st.binary(max_size=400))
def test_what_was_read_is_read_again_when_it_is_written_by_a_spreadsheet(raw: bytes) -> None:
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


_NAMES: Final = (
    *("resourceType", "id", "active", "name", "telecom", "identifier", "birthDate", "communication", "link", "meta"),
    *("use", "text", "family", "given", "system", "value", "period", "start", "end", "rank", "extension", "url"),
    *("language", "coding", "code", "preferred", "lastUpdated", "deceasedDateTime", "relation", "type"),
)
_WORDS: Final = st.sampled_from(
    ["telegram:5000000001", "phone", "mobile", "old", "official", "2024-05", "9999-12-31", "0001-01-01", "9999"]
)
_SPELLED: Final = _WORDS | st.sampled_from(
    ["2026-12-01T08:00:00+23:59", "0001-01-01T00:00:00+14:00", "urn:a", "replaced-by"]
)
_ELEMENTS: Final = st.lists(
    st.dictionaries(st.sampled_from(_NAMES), _SPELLED | json_with(*_NAMES), max_size=6), max_size=3
)
_PATIENTS: Final = st.dictionaries(st.sampled_from(_NAMES), _ELEMENTS | _SPELLED | json_with(*_NAMES), max_size=9)
_ZONES: Final = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=14)), dt.timezone(-dt.timedelta(hours=12))])


@fuzzed
@given(_PATIENTS, st.sampled_from(["", "urn:a"]), _ZONES)
def test_any_patient_of_a_fhir_server_is_read(resource: dict[str, object], system: str, zone: dt.tzinfo) -> None:
    now = NOW.astimezone(zone)

    found = read_patient(resource, identifier_system=system, telegram=TelegramAt("telegram:"), now=now)

    assert found == read_patient(resource, identifier_system=system, telegram=TelegramAt("telegram:"), now=now)
    with contextlib.suppress(Refused):
        read_given(found.values, today=NOW.date())


@fuzzed
@given(st.dictionaries(st.sampled_from(["link", "entry"]), _ELEMENTS | json_with("relation", "url"), max_size=2), texts)
def test_the_next_page_lies_on_the_same_server_or_is_refused(bundle: dict[str, object], path: str) -> None:
    base = "https://fhir.example/r4"
    try:
        bundle = bundle | {"link": [{"relation": "next", "url": path}]} if len(bundle) == 1 else bundle
        page = next_page(bundle, f"{base}/Patient?_count=2", base)
    except SourceDown:
        return

    assert page is None or page.startswith("https://fhir.example")
