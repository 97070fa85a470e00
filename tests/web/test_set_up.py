"""A new clinic is asked for its name, country, zone and urgent number before anything is planned."""

import datetime as dt

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from companion.clinics.clinics import first_clinic
from companion.clinics.models import Clinic, Role
from companion.schedules.models import Schedule
from tests.builders import NOW, a_clinic, a_patient
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db
ANSWERS = {"name": "Linden Practice", "country": "DE", "timezone": "Europe/Berlin", "phone": "+49 30 123456"}


@pytest.fixture
def new_clinic() -> Clinic:
    return first_clinic(now=NOW)


def test_planning_leads_an_admin_of_a_new_clinic_to_four_questions(new_clinic: Clinic) -> None:
    shown = words(signed_in(new_clinic, Role.ADMIN).get("/scheduled-messages/new", follow=True))

    assert "Set up your clinic" in shown
    assert all(label in shown for label in ("Name", "Country", "Time zone", "Number for urgent help"))


def test_nothing_is_planned_before_they_are_answered_by_a_form_that_was_open(new_clinic: Clinic) -> None:
    client = signed_in(new_clinic, Role.ADMIN)

    client.post("/scheduled-messages/new", typed(a_patient(new_clinic)))

    assert not Schedule.objects.exists()


def test_others_hear_who_can_answer_them(new_clinic: Clinic) -> None:
    shown = words(signed_in(new_clinic).get("/scheduled-messages/new", follow=True))

    assert "Before anything is planned, an admin has to give its name, country, time zone and urgent number" in shown
    assert signed_in(new_clinic).get("/settings/set-up").status_code == 403


def test_the_answers_are_kept_and_planning_is_open(new_clinic: Clinic) -> None:
    client = signed_in(new_clinic, Role.ADMIN)

    client.post("/settings/set-up", ANSWERS)
    planned = client.post("/scheduled-messages/new", typed(a_patient(new_clinic)), follow=True)

    new_clinic.refresh_from_db()
    held = (new_clinic.name, new_clinic.country, new_clinic.timezone, new_clinic.urgent_phone)
    assert held == tuple(ANSWERS.values())
    assert "Planned." in words(planned)


def test_every_wrong_answer_is_named_and_what_was_typed_stays(new_clinic: Clinic) -> None:
    wrong = {"name": "", "country": "DE", "timezone": "Berlin", "phone": "call us"}

    answer = signed_in(new_clinic, Role.ADMIN).post("/settings/set-up", wrong)

    assert answer.status_code == 422
    assert set(answer.context["errors"]) == {"name", "timezone", "phone"}
    assert answer.context["typed"] == wrong
    new_clinic.refresh_from_db()
    assert (new_clinic.set_up_at, new_clinic.country) == (None, "")


def test_the_number_may_be_left_out(new_clinic: Clinic) -> None:
    signed_in(new_clinic, Role.ADMIN).post("/settings/set-up", ANSWERS | {"phone": ""})

    new_clinic.refresh_from_db()
    assert new_clinic.set_up_at is not None


def test_the_first_steps_begin_with_it(new_clinic: Clinic) -> None:
    client = signed_in(new_clinic, Role.ADMIN)
    assert "Say who you are" in words(client.get("/scheduled-messages"))

    client.post("/settings/set-up", ANSWERS)

    assert "Say who you are done" in words(client.get("/scheduled-messages"))


@pytest.mark.django_db(transaction=True)
def test_a_clinic_that_was_there_before_the_update_is_not_asked() -> None:
    clinic = a_clinic(set_up_at=None, created_at=NOW - dt.timedelta(days=1))
    executor = MigrationExecutor(connection)
    migration = executor.loader.get_migration("clinics", "0006_set_up")

    migration.operations[1].code(executor.loader.project_state(("clinics", "0006_set_up")).apps, None)  # type: ignore[attr-defined]  # RunPython's own

    clinic.refresh_from_db()
    assert clinic.set_up_at == clinic.created_at
