"""`companion clinic` and `companion operator`, as the person who runs the server types them."""

import json
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zipfile import ZipFile

import pyrage
import pytest
from click.testing import CliRunner, Result
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from pydantic import SecretStr
from pytest_django import Settings

from companion.cli.audit import audit
from companion.cli.clinics import clinic as clinic_command
from companion.cli.clinics import operator
from companion.cli.keys_of_programs import key
from companion.cli.people import member
from companion.clinics import bots, opt_outs
from companion.clinics.models import ApiKey, AuditEntry, Clinic, Role
from companion.clinics.sealed import SealedField
from companion.patients.models import Patient
from companion.restoring import removing
from companion.restoring.clinic_rows import tables
from companion.restoring.sealing import Key, unseal
from companion.schedules.models import Message, Schedule, State, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from tests.builders import (
    a_bot,
    a_clinic,
    a_cohort,
    a_conversation,
    a_kept_photo,
    a_member,
    a_message,
    a_patient,
    a_schedule,
    a_sent_message,
)
from tests.clinics.trails import rule_lifted, sql
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db
EVA = "eva@birch.example"
PASSWORD = "four calm horses"
_RECIPIENT: Final = str(pyrage.x25519.Identity.generate().to_public())


def typed(*said: str, typing: str = "") -> Result:
    commands = {"audit": audit, "clinic": clinic_command, "operator": operator, "member": member, "key": key}
    command = commands[said[0]]
    return CliRunner().invoke(command, said[1:], input=typing)


def removal(folder: Path) -> tuple[str, ...]:
    """The command that removes the clinic linden, with an export for an age key: a passphrase costs seconds."""
    return ("clinic", "remove", "linden", "--export", str(folder / "out.age"), "--recipient", _RECIPIENT)


def path_of(done: Result) -> str:
    """The path of the sign-in link that the command printed."""
    return urlsplit(done.stdout.strip()).path


def a_full_clinic(slug: str) -> Clinic:
    """Make a clinic with rows in many tables."""
    clinic = a_clinic(slug=slug, name=f"{slug.title()} Clinic")
    a_bot(clinic)
    a_member(clinic, Role.ADMIN, f"eva@{slug}.example")
    patient = a_patient(clinic, "Ana Silva")
    a_cohort(clinic, "Diabetes", patient)
    schedule = a_schedule(clinic, patient)
    a_message(patient, schedule)
    a_sent_message(patient)
    a_conversation(patient)
    a_kept_photo(patient)
    opt_outs.stop(clinic, 4711, source="patient: STOP", now=database_now())
    typed("key", "add", "Ward system", "--clinic", slug)
    return clinic


def rows_of(clinic: Clinic) -> dict[str, int]:
    counted = {table.model._meta.label: table.rows(clinic).count() for table in tables()}
    return {label: count for label, count in counted.items() if count}


def test_a_clinic_is_added_and_listed() -> None:
    added = typed("clinic", "add", "linden", "--name", "Linden Clinic", "--timezone", "Europe/Berlin")
    typed("member", "add", "eva@linden.example", "--role", "admin", "--clinic", "linden")

    clinic = Clinic.objects.get()
    assert added.exit_code == 0
    assert (clinic.name, clinic.timezone) == ("Linden Clinic", "Europe/Berlin")
    assert typed("clinic", "list").stdout == "linden\tLinden Clinic\t0\tin use\n"


@pytest.mark.parametrize(
    ("slug", "name", "zone", "field"),
    [
        ("Linden", "Linden", "UTC", "slug"),
        ("-x", "Linden", "UTC", "slug"),
        ("x" * 51, "Linden", "UTC", "slug"),
        ("taken", "Linden", "UTC", "slug"),
        ("linden", " ", "UTC", "name"),
        ("linden", "Linden", "Berlin", "timezone"),
    ],
)
def test_an_impossible_value_is_refused_by_its_field(slug: str, name: str, zone: str, field: str) -> None:
    a_clinic(slug="taken")

    done = typed("clinic", "add", "--name", name, "--timezone", zone, "--", slug)

    assert done.exit_code == 1
    assert f"{field}: " in done.stderr
    assert Clinic.objects.count() == 1


def test_a_renamed_clinic_keeps_its_slug() -> None:
    clinic = a_clinic(slug="linden")

    typed("clinic", "rename", "linden", "Birch Clinic")

    clinic.refresh_from_db()
    assert (clinic.slug, clinic.name) == ("linden", "Birch Clinic")


def test_an_archived_clinics_plans_end_and_nobody_comes_in() -> None:
    clinic = a_full_clinic("linden")
    browser = signed_in(clinic, Role.ADMIN)
    secret = typed("key", "add", "Lab", "--clinic", "linden").stdout.strip()

    typed("clinic", "archive", "linden")

    program = Client(headers={"Authorization": f"Bearer {secret}"})
    assert not Message.objects.filter(clinic=clinic, status=Status.PENDING).exists()
    assert Schedule.objects.get(clinic=clinic).state == State.CANCELLED
    assert browser.get("/scheduled-messages").status_code == 403
    assert program.get("/api/scheduler/messages").status_code == 401
    assert not bots.serving(sandbox=True).exists()


def test_a_message_on_the_wire_goes_on_when_its_clinic_is_archived() -> None:
    clinic = a_clinic(slug="linden")
    message = a_message(a_patient(clinic), open_attempt_id="0190d2d4-0000-7000-8000-000000000001")

    typed("clinic", "archive", "linden")

    message.refresh_from_db()
    assert message.status == Status.PENDING


def test_an_archived_clinic_is_no_choice_of_a_command(tmp_path: Path) -> None:
    a_clinic(slug="linden")
    birch = a_clinic(slug="birch")
    typed("clinic", "archive", "linden")

    added, refused = typed("key", "add", "Ward system"), typed("key", "add", "Lab", "--clinic", "linden")

    assert (added.exit_code, refused.exit_code) == (0, 1)
    assert ApiKey.objects.get().clinic == birch


def test_a_reopened_clinic_lets_its_people_in_and_plans_nothing_again() -> None:
    clinic = a_full_clinic("linden")
    browser = signed_in(clinic, Role.ADMIN)
    typed("clinic", "archive", "linden")

    typed("clinic", "archive", "linden", "--undo")

    ended = Message.objects.filter(clinic=clinic, status=Status.CANCELLED)
    assert browser.get("/scheduled-messages").status_code == 200
    assert {message.reason for message in ended} <= {Reason.BY_PERSON, Reason.SCHEDULE_ENDED}
    assert not Message.objects.filter(clinic=clinic, status=Status.PENDING).exists()


def test_a_clinic_in_use_is_not_removed(tmp_path: Path) -> None:
    clinic = a_full_clinic("linden")

    done = typed("clinic", "remove", "linden", "--export", str(tmp_path / "out.age"), "--name", clinic.name)

    assert done.exit_code == 1
    assert "companion clinic archive linden" in done.stderr
    assert Patient.objects.filter(clinic=clinic).exists()


def test_without_the_right_name_nothing_is_removed(tmp_path: Path, settings: Settings) -> None:
    clinic = a_full_clinic("linden")
    typed("clinic", "archive", "linden")

    done = typed("clinic", "remove", "linden", "--export", str(tmp_path / "out.age"), typing="Birch Clinic\n")

    assert done.exit_code == 1
    assert Patient.objects.filter(clinic=clinic).exists()
    assert not (tmp_path / "out.age").exists()


def test_without_a_way_to_encrypt_the_export_nothing_is_removed(tmp_path: Path) -> None:
    clinic = a_full_clinic("linden")
    typed("clinic", "archive", "linden")

    done = typed("clinic", "remove", "linden", "--export", str(tmp_path / "out.age"), "--name", clinic.name)

    assert done.exit_code == 1
    assert "COMPANION_BACKUP_PASSPHRASE" in done.stderr
    assert Patient.objects.filter(clinic=clinic).exists()


@pytest.fixture
def passphrase(settings: Settings) -> str:
    """A passphrase for the export."""
    chosen = "linden birch oak"
    settings.COMPANION = settings.COMPANION.model_copy(update={"backup_passphrase": SecretStr(chosen)})
    return chosen


def test_a_removed_clinic_leaves_its_audit_trail_and_the_other_clinic_alone(tmp_path: Path) -> None:
    clinic, other = a_full_clinic("linden"), a_full_clinic("birch")
    signed_in(clinic)
    elsewhere = signed_in(other).session.session_key
    before, people = rows_of(other), set(User.objects.filter(memberships__clinic=other))
    typed("clinic", "archive", "linden")

    done = typed(*removal(tmp_path), typing="Linden Clinic\n")

    assert done.exit_code == 0, done.output
    assert rows_of(clinic) == {}
    assert rows_of(other) == before
    assert set(User.objects.all()) == people
    assert [session.session_key for session in Session.objects.all()] == [elsewhere]
    assert AuditEntry.objects.filter(clinic=clinic.pk, action="clinic removed").exists()


@pytest.mark.parametrize("left", [0, 1])
def test_entries_cut_off_from_a_removed_clinics_trail_are_found_by_the_hash_of_its_end(
    tmp_path: Path, left: int
) -> None:
    clinic = a_full_clinic("linden")
    a_full_clinic("birch")
    typed("clinic", "archive", "linden")
    check = typed(*removal(tmp_path), "--name", clinic.name).output.splitlines()[-1].removeprefix("companion ").split()
    whole = typed(*check)

    with rule_lifted():
        sql(f"DELETE FROM clinics_auditentry WHERE clinic_id = %s AND number > {left}", clinic.pk)

    cut = typed(*check)
    assert (whole.exit_code, cut.exit_code) == (0, 1)
    assert "cut off the end" in cut.output


def test_the_export_of_a_removed_clinic_holds_its_texts_and_files_and_no_secret(
    tmp_path: Path, passphrase: str
) -> None:
    clinic = a_full_clinic("linden")
    typed("clinic", "archive", "linden")

    done = typed("clinic", "remove", "linden", "--export", str(tmp_path / "out.age"), "--name", clinic.name)
    assert done.exit_code == 0, done.output

    unseal(tmp_path / "out.age", tmp_path / "out.zip", Key(passphrase=passphrase))
    with ZipFile(tmp_path / "out.zip") as archive:
        names = archive.namelist()
        [patient] = archive.read("patients.patient.jsonl").decode().splitlines()
        [version] = archive.read("schedules.version.jsonl").decode().splitlines()
        bot = json.loads(archive.read("clinics.bot.jsonl"))
    assert json.loads(patient)["name"] == "Ana Silva"
    assert json.loads(version)["text"] == "Take your tablet."
    assert "token" not in bot
    assert any(name.startswith("files/") for name in names)


def test_an_export_holds_back_each_sealed_column_that_opens_something() -> None:
    sealed = {(table.model, field) for table in tables() for field in table.model._meta.concrete_fields}
    sealed = {(model, field) for model, field in sealed if isinstance(field, SealedField)}

    held_back = {f"{model._meta.label}.{field.name}" for model, field in sealed if field.name in removing.SECRETS}

    assert held_back == {
        "clinics.Bot.token",
        "panel.OutsideHeartbeat.url",
        "patients.PatientSource.settings",
        "webhooks.Webhook.former_secret",
        "webhooks.Webhook.secret",
        "webhooks.Webhook.url",
    }
    assert {f"{model._meta.label}.{field.name}" for model, field in sealed} - held_back == {
        "api.IdempotentCall.answer",
        "listener.Media.name",
        "listener.Reply.text",
        "patients.SyncRun.reasons",
        "patients.SyncRun.touched",
        "schedules.Attempt.description",
        "schedules.Attempt.text",
        "schedules.Deletion.chat",
        "schedules.Message.text",
        "schedules.Version.buttons",
        "schedules.Version.text",
        "web.Draft.values",
    }


def test_every_table_with_a_way_to_a_clinic_is_removed_but_the_audit_trail() -> None:
    found = {table.model for table in tables()}
    ways = {
        model
        for model in apps.get_models(include_auto_created=True)
        if any(field.related_model in found for field in model._meta.concrete_fields if field.remote_field)
    }

    assert ways - found == {AuditEntry}


def test_a_person_of_two_clinics_keeps_the_account(tmp_path: Path) -> None:
    clinic, other = a_full_clinic("linden"), a_clinic(slug="birch")
    typed("member", "add", "eva@linden.example", "--clinic", other.slug)
    typed("clinic", "archive", "linden")

    done = typed(*removal(tmp_path), "--name", clinic.name)
    assert done.exit_code == 0, done.output

    assert User.objects.filter(username="eva@linden.example").exists()


def test_an_operator_sees_all_clinics_and_nothing_about_patients() -> None:
    clinic, archived = a_full_clinic("linden"), a_full_clinic("birch")
    browser = signed_in(clinic)
    email = User.objects.get(pk=browser.session["_auth_user_id"]).username
    typed("clinic", "archive", archived.slug)

    before = browser.get("/clinics")
    done = typed("operator", "add", email)
    browser.post(path_of(done))
    shown = words(browser.get("/clinics"))

    assert (before.status_code, done.exit_code) == (404, 0)
    assert AuditEntry.objects.get(clinic=clinic, action="operator made").changes["operator"] == [False, True]
    assert "Linden Clinic" in shown
    assert "Birch Clinic" in shown
    assert "Archived" in shown
    assert "Ana" not in shown
    assert "All clinics" in words(browser.get("/scheduled-messages"))


def test_a_former_operator_sees_their_own_clinics_alone() -> None:
    browser = signed_in(a_clinic())
    email = User.objects.get(pk=browser.session["_auth_user_id"]).username
    browser.post(path_of(typed("operator", "add", email)))

    typed("operator", "remove", email)

    assert browser.get("/clinics").status_code == 404
    assert typed("operator", "list").stdout == ""


def test_an_admin_who_knows_all_that_opens_a_colleagues_account_becomes_no_operator() -> None:
    clinic = a_clinic(slug="birch")
    known_link, signed_in_already, with_a_password = path_of(typed("member", "add", EVA)), Client(), Client()
    signed_in_already.force_login(a_member(clinic, Role.VIEWER, "ben@birch.example").user)
    with_a_password.post(path_of(typed("member", "add", "ben@birch.example")))
    with_a_password.post("/accounts/password/set/", {"password1": PASSWORD, "password2": PASSWORD})

    for email in (EVA, "ben@birch.example"):
        typed("operator", "add", email)

    again = Client()
    again.post("/accounts/login/", {"login": "ben@birch.example", "password": PASSWORD})
    assert Client().post(known_link).status_code == 410
    assert [browser.get("/clinics").status_code for browser in (signed_in_already, with_a_password, again)] == [302] * 3


def test_an_operator_is_not_made_twice_and_keeps_the_password() -> None:
    browser = signed_in(a_clinic())
    email = User.objects.get(pk=browser.session["_auth_user_id"]).username
    browser.post(path_of(typed("operator", "add", email)))

    again = typed("operator", "add", email)

    assert (again.exit_code, browser.get("/clinics").status_code) == (1, 200)


@pytest.mark.parametrize("email", ["no@x.example", "eva@birch.example"])
def test_nobody_becomes_an_operator_without_a_clinic_in_use(email: str) -> None:
    a_full_clinic("birch")
    typed("clinic", "archive", "birch")

    done = typed("operator", "add", email)

    assert done.exit_code == 1
    assert "companion member add" in done.stderr
