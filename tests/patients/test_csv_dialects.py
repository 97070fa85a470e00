"""CSV as spreadsheets write it: which delimiter, which first line, which line ends, which encoding."""

import io
from pathlib import Path

import pytest

from companion.clinics.models import Role
from companion.patients.importing import Report, import_csv
from companion.patients.models import Patient
from companion.patients.sources import configuration, sync
from tests.api.calls import a_program
from tests.api.test_patients import upload
from tests.builders import NOW, a_caller, a_clinic
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def imported(file: bytes) -> Report:
    return import_csv(a_caller(a_clinic()), io.BytesIO(file), now=NOW)


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("other", [",", ";"])
def test_a_header_whose_quoted_names_hold_other_delimiters_is_read(between: str, other: str) -> None:
    header = f'"Ward{other} bed{other} room{other} floor"{between}external_id{between}name{between}"a ""b"""'

    report = imported(f'{header}\n"3b{other}x"{between}P-1{between}"Silva{other} Ana"{between}\n'.encode())

    assert (report.added, report.refused) == (1, [])
    assert Patient.objects.get().name == f"Silva{other} Ana"


def test_a_header_with_commas_outside_of_quotes_is_read_by_the_names_that_are_known() -> None:
    report = imported(b"external_id;name;Notes, of staff, of doctors, of others\nP-1;Ana;\n")

    assert (report.added, report.ignored) == (1, ("Notes, of staff, of doctors, of others",))


@pytest.mark.parametrize(
    ("first", "between"),
    [("sep=;", ";"), ('"sep=;"', ";"), ("SEP=,", ","), ("sep=\t", "\t"), ("sep=|", "|"), ("sep=;;;", ";")],
)
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_excel_s_first_line_names_the_delimiter_and_lines_are_numbered_as_in_the_file(
    first: str, between: str, start: bytes, end: str
) -> None:
    rows = [first, between.join(("external_id", "name")), between.join(("P-1", "Ana")), between.join(("", "Bo")), ""]

    report = imported(start + end.join(rows).encode())

    assert (report.added, [row.line for row in report.refused]) == (1, [4])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_excel_s_unicode_text_is_read(encoding: str) -> None:
    bom = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    rows = "external_id\tname\r\nP-1\tŁukasz Żak\r\n\tBo\r\nP-3\t😀 Li\r\n"

    report = imported((bom + rows).encode(encoding))

    assert (report.added, [row.line for row in report.refused]) == (2, [3])
    assert set(Patient.objects.values_list("name", flat=True)) == {"Łukasz Żak", "😀 Li"}


def test_a_long_file_in_utf_16_is_read_to_its_end() -> None:
    rows = "".join(f"P-{number};Łukasz {number}\n" for number in range(9000))

    report = imported(("external_id;name\n" + rows).encode("utf-16"))

    assert (report.added, report.refused) == (9000, [])


def test_bytes_that_are_no_utf_16_cost_only_their_own_row() -> None:
    broken = "external_id,name\nP-1,Ana\nP-2,B".encode("utf-16") + b"\x00\xd8" + "o\nP-3,Cy\n".encode("utf-16-le")

    report = imported(broken)

    assert (report.added, [row.line for row in report.refused]) == (2, [3])


def test_lines_that_end_by_a_carriage_return_alone_are_lines() -> None:
    report = imported(b"external_id,name\rP-1,Ana\r,nobody\rP-3,Cy\r")

    assert (report.added, [row.line for row in report.refused]) == (2, [3])


def test_a_carriage_return_within_a_line_of_a_file_with_line_feeds_is_still_a_mistake() -> None:
    report = imported(b"external_id,name\nP-1,Ana\rSilva\nP-2,Bo\n")

    assert (report.added, [row.line for row in report.refused]) == (1, [2])


FILE = 'sep=;\r\n"Name, first";external_id;name\r\nx;P-1;Ana\r\n'


def test_the_api_the_form_and_a_sync_read_it_too(tmp_path: Path) -> None:
    clinics = [a_clinic(), a_clinic(), a_clinic()]
    shown = io.BytesIO(FILE.encode("utf-16"))
    shown.name = "patients.csv"
    file = tmp_path / "patients.csv"
    file.write_bytes(FILE.encode("utf-16"))
    configuration.set_csv(a_caller(clinics[2], Role.ADMIN), file, now=NOW)

    status, _, answer = upload(a_program(clinics[0], Role.PROVIDER), FILE.encode("utf-16"))
    page = signed_in(clinics[1]).post("/patients/import", {"file": shown})
    run = sync.sync(clinics[2], clock=lambda: NOW)

    assert (status, answer["added"]) == (200, 1)
    assert "1 added" in words(page)
    assert run.added == 1
