"""Commands that can be given for an archived clinic without opening it again, and what its removal leaves of people."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client

from companion.cli.audit import audit
from companion.cli.clinics import clinic as clinic_command
from companion.cli.keys_of_programs import key
from companion.cli.patients import patients
from companion.cli.people import member
from companion.clinics.api_keys import make_key
from companion.clinics.models import AuditEntry, Clinic, Member, Role
from companion.patients.models import Patient
from companion.planning.archiving import archive
from companion.restoring import removing
from companion.schedules.models import State, Status
from tests.builders import NOW, a_clinic, a_member, a_message, a_patient, a_schedule
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def linden() -> Clinic:
    """An archived clinic."""
    clinic = a_clinic(slug="linden")
    a_member(clinic, Role.ADMIN, "eva@linden.example")
    a_member(clinic, Role.VIEWER, "ben@linden.example")
    make_key(clinic, "Ward system", "provider", now=NOW)
    a_patient(clinic, external_id="P-1")
    archive(clinic, now=NOW)
    return clinic


def typed(*said: str) -> Result:
    command = {"audit": audit, "key": key, "member": member, "patients": patients}[said[0]]
    return CliRunner().invoke(command, [*said[1:], "--clinic", "linden"])


@pytest.mark.usefixtures("linden")
def test_its_people_and_keys_are_listed_and_shut_out() -> None:
    done = [typed("member", "sign-out", "ben@linden.example"), typed("member", "remove", "ben@linden.example")]
    done.append(typed("key", "revoke", "Ward system"))

    assert [each.exit_code for each in done] == [0, 0, 0]
    assert typed("member", "list").stdout == "eva@linden.example\tadmin\tjoined\n"
    assert "revoked" in typed("key", "list").stdout


@pytest.mark.usefixtures("linden")
def test_its_audit_trail_is_checked_and_exported_and_a_patient_gets_their_data(tmp_path: Path) -> None:
    trail, data = str(tmp_path / "trail.csv"), str(tmp_path / "data.zip")

    done = [
        typed("audit", "verify"),
        typed("audit", "export", trail),
        typed("patients", "export", "P-1", "--output", data),
    ]

    assert [each.exit_code for each in done] == [0, 0, 0]
    assert "clinic archived" in Path(trail).read_text()
    assert Path(data).stat().st_size


@pytest.mark.usefixtures("linden")
@pytest.mark.parametrize(
    "said",
    [
        ("member", "add", "new@linden.example"),
        ("member", "role", "ben@linden.example", "admin"),
        ("key", "add", "Lab"),
        ("patients", "erase", "P-1", "--name", "Ana Silva"),
    ],
)
def test_any_other_command_says_that_it_is_archived_and_how_to_open_it(said: tuple[str, ...]) -> None:
    done = typed(*said)

    assert done.exit_code == 1
    assert "linden is archived. `companion clinic archive linden --undo` opens it again." in done.stderr


def test_plans_of_a_late_call_end_when_the_clinic_is_opened_again(linden: Clinic) -> None:
    """A call that was let in before the clinic was archived waited for the database, and planned after that."""
    patient = Patient.objects.get(clinic=linden)
    schedule, message = a_schedule(linden, patient), a_message(patient)

    done = CliRunner().invoke(clinic_command, ["archive", "linden", "--undo"])

    schedule.refresh_from_db()
    message.refresh_from_db()
    entry = AuditEntry.objects.get(clinic=linden, action="clinic reopened")
    assert done.exit_code == 0
    assert (schedule.state, message.status) == (State.CANCELLED, Status.CANCELLED)
    assert entry.changes["cancelled messages"] == [None, 1]


def test_a_removed_clinic_leaves_no_former_member_and_no_session_that_may_name_its_patients(linden: Clinic) -> None:
    typed("member", "remove", "ben@linden.example")
    nora = a_member(birch := a_clinic(slug="birch"), email="nora@birch.example")
    Member.objects.create(clinic=linden, user=nora.user, role=Role.VIEWER, created_at=NOW, joined_at=NOW)
    Client().force_login(nora.user)
    stays = signed_in(birch).session.session_key

    removing.remove(linden, now=NOW)

    assert not User.objects.exclude(memberships__clinic=birch).exists()
    assert User.objects.filter(username="nora@birch.example").exists()
    assert [session.session_key for session in Session.objects.all()] == [stays]


@pytest.mark.usefixtures("linden")
def test_without_a_clinic_in_use_a_command_says_so() -> None:
    done = CliRunner().invoke(member, ["list"])

    assert done.exit_code == 1
    assert "Every clinic is archived. `companion clinic list` shows them." in done.stderr
