"""Numbers and probes for machines, and the files in deploy/ that read them."""

import datetime as dt
import json
import re
import uuid
from pathlib import Path
from typing import NoReturn

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.test import Client
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from companion.clinics.api_keys import make_key, revoke
from companion.clinics.models import Role
from companion.dispatch.send import count_from_zero
from companion.panel import bot_checks
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from companion.service.metrics import REGISTRY
from companion.service.models import Heartbeat, Kind
from companion.telegram.outcomes import Answer
from tests.api.calls import a_program
from tests.builders import a_bot, a_caller, a_clinic, a_message, a_patient
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.fixture(autouse=True)
def _a_backup(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.backup").write_text("A backup.")
    settings.COMPANION = settings.COMPANION.model_copy(update={"backup_dir": tmp_path})


def shown() -> dict[str, float]:
    """The samples of a clinic with a bot that was asked about, one message due and one failed, by name and labels."""
    clinic, now = a_clinic(), database_now()
    bot = a_bot(clinic, sandbox=django_settings.SANDBOX_ON)
    bot_checks.keep(bot, bot_checks.BotAnswers(Answer({}, now), Answer({"url": ""}, now), 20.0, now), now=now)
    patient = a_patient(clinic)
    a_message(patient, due_at=now)
    a_message(patient, due_at=now, status=Status.FAILED, reason=Reason.BLOCKED, ended_at=now)
    text = a_program(clinic, Role.VIEWER).get("/metrics").text
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def named_in(text: str) -> set[str]:
    return set(re.findall(r"companion_[a-z_]+", text))


def test_the_web_shows_what_the_database_counts() -> None:
    numbers = shown()

    assert numbers["companion_messages_due"] == 1
    assert numbers["companion_messages_failed_last_day blocked"] == 1
    assert numbers["companion_bot_latency_seconds"] == 0.02


def test_a_key_sees_its_own_clinics_numbers_only() -> None:
    a_message(a_patient(a_clinic()), due_at=database_now())

    text = a_program(a_clinic(), Role.VIEWER).get("/metrics").text

    assert "companion_messages_due 0.0" in text


@pytest.mark.parametrize("file", ["grafana/companion.json", "prometheus/alerts.yml"])
def test_each_metric_that_a_file_names_exists(file: str) -> None:
    # A counter without any labels yet has no sample, so the services' own names come from their declarations.
    own = {name for family in REGISTRY.collect() for name in (family.name, f"{family.name}_total")}
    own |= {f"{family.name}_bucket" for family in REGISTRY.collect() if family.type == "histogram"}

    named = named_in((DEPLOY / file).read_text())

    assert named
    assert named <= own | {name.partition(" ")[0] for name in shown()}


def test_the_dashboard_is_json_with_a_query_in_each_panel() -> None:
    panels = json.loads((DEPLOY / "grafana" / "companion.json").read_text())["panels"]

    assert all(target["expr"] for panel in panels for target in panel["targets"])


def test_no_number_is_labelled_with_who_it_is_about() -> None:
    shown()

    assert "clinic=" not in generate_latest(REGISTRY).decode()


def test_the_web_is_alive_without_asking_the_database(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert Client().get("/healthz").status_code == 200


def test_the_web_is_ready_with_all_tables() -> None:
    assert Client().get("/readyz").status_code == 200


def test_the_web_is_not_ready_while_a_migration_is_missing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'panel'")

    answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert b"companion migrate" in answer.content


def no_database(*_: object) -> NoReturn:
    raise OperationalError("the connection is lost")


def test_numbers_go_on_while_the_database_is_away_and_say_so() -> None:
    program = a_program(a_clinic(), Role.VIEWER)
    program.get("/metrics")

    with connection.execute_wrapper(no_database):
        away = program.get("/metrics")

    assert away.status == 200
    assert "companion_database_up 0.0" in away.text
    assert "companion_messages_due" not in away.text


def test_a_key_that_was_never_let_in_gets_no_numbers_while_the_database_is_away() -> None:
    secret = make_key(a_clinic(), "new", Role.VIEWER, now=database_now())[1]
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})

    with connection.execute_wrapper(no_database):
        assert client.get("/metrics").status_code == 503


def test_a_stranger_gets_no_numbers_while_the_database_is_away_though_a_session_read_them_before() -> None:
    signed_in(a_clinic()).get("/metrics")
    stranger = Client(raise_request_exception=False)
    stranger.cookies["sessionid"] = "x" * 32

    with connection.execute_wrapper(no_database):
        assert stranger.get("/metrics").status_code == 503


def test_a_revoked_key_gets_no_numbers_while_the_database_is_away() -> None:
    clinic = a_clinic()
    key, secret = make_key(clinic, "old", Role.VIEWER, now=database_now())
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
    client.get("/metrics")
    revoke(a_caller(clinic, Role.ADMIN), key, now=database_now())
    client.get("/metrics")

    with connection.execute_wrapper(no_database):
        assert client.get("/metrics").status_code == 503


def test_a_fresh_dispatcher_shows_its_series_from_the_start() -> None:
    count_from_zero()

    text = generate_latest(REGISTRY).decode()
    assert 'companion_attempts_total{outcome="unknown"}' in text
    assert 'companion_messages_sent_total{lane="reminder"}' in text


def test_a_lost_service_is_counted() -> None:
    gone = database_now() - dt.timedelta(minutes=1)
    Heartbeat.objects.create(
        id=uuid.uuid4(), kind=Kind.DISPATCHER, host="host", pid=1, started_at=gone, beat_at=gone, state={}
    )

    text = a_program(a_clinic(), Role.VIEWER).get("/metrics").text

    assert 'companion_services_lost{kind="dispatcher"} 1.0' in text
