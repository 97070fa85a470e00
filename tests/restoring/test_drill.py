"""A drill: a restored copy of real data for looking and trying, from which nothing reaches anybody."""

import datetime as dt
import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics import bots
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict
from companion.patients.sources import configuration, sync
from companion.patients.sources.models import PatientSource
from companion.service import mailing
from companion.service.clock import database_now
from companion.service.mailing import Mail
from companion.webhooks import calling
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient
from tests.restoring.places import Place, an_empty_one, the_tests_own
from tests.support.receivers import a_mail_server, a_program
from tests.support.services import a_service, eventually, stop
from tests.support.stand_in import stand_in
from tests.web.signed_in import signed_in, words

SERVICES = ("dispatcher", "listener", "web")
_BEATEN_AGAIN = "SELECT count(*) FROM service_heartbeat WHERE beat_at > started_at"


@pytest.fixture
def a_drill(product_environment: dict[str, str], tmp_path: Path) -> Place:
    """A restored copy of a clinic with a message that is due soon, for a drill."""
    clinic = a_clinic()
    a_bot(clinic)
    a_message(a_patient(clinic), due_at=database_now().replace(year=2099))
    file = tmp_path / "backup.age"
    the_tests_own(product_environment, tmp_path).backup(file)
    place = an_empty_one(product_environment, tmp_path)
    said = place.restore(file, "--drill")
    assert "COMPANION_DRILL=1" in said
    return place


@pytest.mark.one_database
def test_without_the_variable_every_service_and_command_is_refused_on_a_drills_database(a_drill: Place) -> None:
    for command in (*SERVICES, "up", "doctor", "patients sync"):
        done = a_drill.tried(*command.split())

        assert done.returncode in (1, 2), command
        assert "COMPANION_DRILL=1" in done.stderr, command
        assert "Traceback" not in done.stderr, command


@pytest.mark.one_database
def test_with_the_variable_every_service_and_command_is_refused_on_a_real_database(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    a_bot(a_clinic())
    real = the_tests_own(product_environment, tmp_path)

    for command in (*SERVICES, "up", "doctor"):
        done = real.tried(*command.split(), drill="1")

        assert done.returncode in (1, 2), command
        assert "was not restored for a drill" in done.stderr, command
        assert "Traceback" not in done.stderr, command


def test_a_copy_restored_by_other_means_is_marked_as_a_drill(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    a_clinic()
    copy = the_tests_own(product_environment, tmp_path)

    said = copy.run("restored", "--drill", "--taken", "2026-01-01T00:00:00Z")

    assert "COMPANION_DRILL=1" in said
    assert "COMPANION_DRILL=1" in copy.tried("dispatcher").stderr
    assert "was not restored for a drill" not in copy.tried("doctor", drill="1").stderr


@pytest.mark.one_database
def test_the_services_of_a_drill_call_nobody_and_say_what_it_is(a_drill: Place) -> None:
    with stand_in() as telegram, ExitStack() as services:
        environment = a_drill.environment | {"COMPANION_DRILL": "1", "COMPANION_TELEGRAM_API_URL": telegram.url}
        a_drill.run("resume", drill="1")
        processes = [services.enter_context(a_service(name, environment)) for name in SERVICES[:2]]
        eventually(lambda: _alive(a_drill) >= set(SERVICES[:2]), "both services")
        # A service's second beat comes after all that it does at its start: by then a listener has polled.
        eventually(lambda: a_drill.value(_BEATEN_AGAIN) == len(SERVICES[:2]), "a second beat of both")
        told = a_drill.tried("doctor", "--json", drill="1", telegram_api_url=telegram.url).stdout
        ends = [stop(process) for process in processes]

    assert telegram.asked == []
    assert telegram.arrivals == []
    assert "This is a drill" in told
    assert ends == [0, 0]


def _alive(place: Place) -> set[str]:
    """The services that answer at their own addresses, as the doctor sees it."""
    checks = json.loads(place.tried("doctor", "--json", drill="1").stdout)["checks"]
    return {check["name"].partition(" answers")[0].lower() for check in checks if " answers" in check["name"]}


@pytest.mark.django_db
def test_no_bot_sends_or_listens_in_a_drill_and_none_can_be_tried(settings: Settings) -> None:
    a_bot(a_clinic())
    settings.DRILL = True

    with stand_in() as telegram, pytest.raises(Conflict, match="drill"):
        bots.ask_username(f"700000001:{'A' * 35}", api_url=telegram.url)

    assert not bots.serving(sandbox=True).exists()
    assert telegram.asked == []


@pytest.mark.django_db
def test_no_source_of_patients_is_read_in_a_drill(settings: Settings, tmp_path: Path) -> None:
    clinic = a_clinic()
    path = json.dumps({"path": str(tmp_path)})
    source = PatientSource.objects.create(
        clinic=clinic, kind="csv", settings=path, every=dt.timedelta(hours=1), next_at=NOW, created_at=NOW
    )
    settings.DRILL = True

    assert sync.due(now=NOW) == []
    with pytest.raises(Conflict, match="drill"):
        configuration.opened(source, now=NOW)


def test_neither_a_mail_nor_a_webhook_leaves_in_a_drill(settings: Settings) -> None:
    settings.DRILL = True

    with a_mail_server() as box, a_program() as hook:
        said = [
            mailing.send(Mail("a@clinic.example", "Alert", "Words", "1", "1")),
            calling.Receiver(hook.url).post("{}", {}).error,
        ]

    assert all("drill" in words for words in said)
    assert (box.mails, hook.posts) == ([], [])


@pytest.mark.django_db
def test_every_page_says_that_it_is_a_drill(settings: Settings) -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic))
    settings.DRILL = True
    admin, strip = signed_in(clinic, Role.ADMIN), "Drill: a restored copy. Nothing reaches anybody"

    for path in (
        "/scheduled-messages",
        f"/scheduled-messages/{message.pk}",
        "/patients",
        "/mcp",
        "/settings",
        "/inbox",
    ):
        assert strip in words(admin.get(path)), path
    assert strip in words(Client().get("/accounts/login/"))
