"""Patient sources: FHIR patients and pages, rows of a database, and the settings of both."""

import datetime as dt
import decimal
import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Refused
from companion.patients.fields import read_given
from companion.patients.sources import configuration, fhir_source, sql_source
from companion.patients.sources.fhir_patient import TelegramAt, read_patient
from companion.patients.sources.fhir_source import FhirSettings, FhirSource, next_page
from companion.patients.sources.source import Found, SourceDown, later, point_text, text_point
from companion.patients.sources.sql_source import SqlSettings, SqlSource, found_in
from tests.builders import NOW, a_caller
from tests.fuzz.inputs import fuzzed, json_of, parts_of, text_of
from tests.fuzz.servers import Answering

_NAMES: Final = (
    "official",
    "replaced-by",
    "phone",
    "telegram:5000000001",
    "2024-05",
    "urn:a",
    "period",
    "value",
    "url",
)
_ZONES: Final = (dt.UTC, dt.timezone(dt.timedelta(hours=14)), dt.timezone(-dt.timedelta(hours=12)))


@fuzzed("fhir_patient", *_NAMES)
def test_any_patient_of_a_fhir_server_is_read(raw: bytes) -> None:
    resource = json_of(raw)
    if not isinstance(resource, dict):
        return
    now = NOW.astimezone(_ZONES[len(raw) % 3])
    for system in ("", "urn:a"):
        found = read_patient(resource, identifier_system=system, telegram=TelegramAt("telegram:"), now=now)

        assert found == read_patient(resource, identifier_system=system, telegram=TelegramAt("telegram:"), now=now)
        with suppress(Refused):
            read_given(found.values, today=NOW.date())


BASE: Final = "https://fhir.example/r4"


@fuzzed("fhir_page", "next", "//", "@", ":", "https://fhir.example", "?_page=2", "[")
def test_the_next_page_lies_on_the_same_server_or_is_refused(raw: bytes) -> None:
    bundle = json_of(raw)
    if not isinstance(bundle, dict):
        return
    try:
        page = next_page(bundle, f"{BASE}/Patient?_count=2", BASE)
    except SourceDown:
        return

    assert page is None or page.startswith("https://fhir.example")


@fuzzed("fhir_page", "next", "entry", "resource", "Patient", "Bundle", "searchset", "OperationOutcome")
def test_any_page_of_a_fhir_server_gives_patients_or_says_that_it_is_down(answering: Answering, raw: bytes) -> None:
    if raw.startswith(b"HTTP/"):
        answering.answer = raw
    else:
        answering.bodies(b"application/fhir+json", raw)
    source = FhirSource(FhirSettings(answering.url), seconds=5, now=NOW)

    with suppress(SourceDown):
        for found in source.read_all():
            assert found.values is not None


@fuzzed("fhir_settings", "https://", "http://", "@", "?", "#", "[", ":0", " ")
def test_any_settings_of_a_fhir_server_are_refused_or_name_a_server(raw: bytes) -> None:
    url, token, system, telegram = parts_of(raw, 4)
    try:
        own = fhir_source.read_settings(url, token, system, telegram)
    except Refused as no:
        assert len(token) < 5 or token not in str(no)
        return

    assert own.url.lower().startswith(("http://", "https://"))
    assert "\n" not in own.url + own.token


@pytest.fixture(scope="module")
def database(place: Path) -> Iterator[sqlite3.Connection]:
    """A hospital's database with one row."""
    rows = sqlite3.connect(place / "hospital.sqlite", isolation_level=None)
    rows.execute("CREATE TABLE p (external_id, name, telegram_id, birth_date, cohorts, changed, gone)")
    rows.execute("INSERT INTO p DEFAULT VALUES")
    yield rows
    rows.close()


_COLUMNS: Final = {name: name for name in ("external_id", "name", "telegram_id", "birth_date", "cohorts")}
_OWN: Final = SqlSettings("sqlite://", _COLUMNS, "p", changed_at="changed", left="gone")


def cells_of(raw: bytes) -> list[Any]:
    """Seven cells of a row; what no database gives is text."""
    values = json_of(raw)
    given = values if isinstance(values, list) else [text_of(raw)]
    cells = [value if isinstance(value, str | int | float | None) else json.dumps(value) for value in given][:7]
    return cells + [None] * (7 - len(cells))


def judge(found: Found) -> None:
    if found.changed is not None:
        point = text_point(point_text(found.changed))
        assert point == found.changed
        assert later(None, point) == point
    with suppress(Refused):
        read_given(found.values, today=NOW.date())


_TYPES: Final[tuple[Callable[[str], object], ...]] = (
    *(str, decimal.Decimal, dt.date.fromisoformat, dt.datetime.fromisoformat, str.encode, float, uuid.UUID, bool),
)


@fuzzed("sql_row", "P-1", "5000000001", "1980-12-24", "a|b", "no", "2026-12-01T08:00:00", "NaN", "1E+30")
def test_any_values_in_a_row_are_a_patient_or_end_the_reading(raw: bytes) -> None:
    cells = cells_of(raw)
    for place, cell in enumerate(cells):
        # Other databases than SQLite have more types.
        if isinstance(cell, str):
            with suppress(ValueError, decimal.InvalidOperation):
                cells[place] = _TYPES[(len(cell) + place) % len(_TYPES)](cell)

    with suppress(SourceDown):
        judge(found_in(_OWN, 1, dict(zip([*_COLUMNS, "changed", "gone"], cells, strict=True))))


@fuzzed("sql_row", "P-1", "5000000001", "1980-12-24", "a|b", "no", "2026-12-01T08:00:00", tenth=True)
def test_any_row_of_a_database_is_a_patient_or_ends_the_reading(database: sqlite3.Connection, raw: bytes) -> None:
    try:
        database.execute(
            "UPDATE p SET external_id=?, name=?, telegram_id=?, birth_date=?, cohorts=?, changed=?, gone=?",
            cells_of(raw),
        )
    except (OverflowError, UnicodeEncodeError):
        return
    [(_, _, file)] = database.execute("PRAGMA database_list").fetchall()

    with suppress(SourceDown):
        [found] = SqlSource(replace(_OWN, url=f"sqlite:///{file}")).read_all()
        judge(found)


@fuzzed("sql_mapping", "table = ", "query = ", "[columns]", "external_id = ", "name = ", '"', "\n", "left")
def test_any_mapping_of_a_database_is_taken_or_refused(clinic: Clinic, raw: bytes) -> None:
    with suppress(Refused):
        configuration.set_sql(a_caller(clinic, Role.ADMIN), "sqlite:////nowhere", text_of(raw), now=NOW)

    with suppress(Refused):
        sql_source.read_settings(text_of(raw), {"table": "p", "columns": {"external_id": "a", "name": "b"}})
