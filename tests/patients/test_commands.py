"""`companion patients import`, `companion member add` and `companion key add`, as people type them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from companion.cli.keys_of_programs import key
from companion.cli.patients import patients
from companion.cli.people import member
from companion.clinics.api_keys import caller_of_key
from companion.clinics.models import Member, Role
from companion.patients.models import Patient
from tests.builders import NOW, a_clinic

pytestmark = pytest.mark.django_db


def typed(*words: str) -> Result:
    command = {"patients": patients, "member": member, "key": key}[words[0]]
    return CliRunner().invoke(command, words[1:])


def a_file(folder: Path, text: str) -> str:
    path = folder / "patients.csv"
    path.write_text(text)
    return str(path)


def test_an_import_reports_what_became_of_each_row(tmp_path: Path) -> None:
    a_clinic()

    result = typed("patients", "import", a_file(tmp_path, "external_id,name,ward\nP-1,Ana,3\n,Bo,\n"))

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "1 added, 0 changed, 0 unchanged, 1 refused",
        "line 3: external_id: Give the id by which you know this patient.",
    ]
    assert "ward" in result.stderr


def test_a_file_that_can_t_be_read_is_a_failure_in_one_line(tmp_path: Path) -> None:
    a_clinic()

    result = typed("patients", "import", a_file(tmp_path, "name\nAna\n"))

    assert result.exit_code == 1
    assert "missing: external_id" in result.stderr
    assert "Traceback" not in result.output


def test_of_several_clinics_one_is_named(tmp_path: Path) -> None:
    a_clinic(slug="linden")
    birch = a_clinic(slug="birch")
    file = a_file(tmp_path, "external_id,name\nP-1,Ana\n")

    unnamed = typed("patients", "import", file)
    named = typed("patients", "import", file, "--clinic", "birch")

    assert (unnamed.exit_code, named.exit_code) == (1, 0)
    assert "birch, linden" in unnamed.stderr
    assert Patient.objects.get().clinic == birch


def test_a_member_is_added_and_a_sign_in_link_printed_alone() -> None:
    clinic = a_clinic()

    result = typed("member", "add", "nora@clinic.example", "--role", "admin")

    assert result.exit_code == 0
    assert result.stdout.startswith("http")
    assert "/sign-in/" in result.stdout
    assert len(result.stdout.splitlines()) == 1
    assert Member.objects.get(clinic=clinic).role == Role.ADMIN


def test_a_key_is_printed_alone_and_works() -> None:
    clinic = a_clinic()

    result = typed("key", "add", "Ward system", "--role", "provider")

    caller = caller_of_key(result.stdout.strip(), "127.0.0.1", now=NOW)
    assert caller
    assert (caller.clinic, caller.role) == (clinic, Role.PROVIDER)


def test_a_wrong_address_is_one_plain_line() -> None:
    a_clinic()

    result = typed("member", "add", "nora")

    assert result.exit_code == 1
    assert result.stderr.strip() == "Error: email: This is no e-mail address."


def test_without_a_clinic_the_way_on_is_said() -> None:
    result = typed("key", "add", "Ward system")

    assert result.exit_code == 1
    assert "companion migrate" in result.stderr
