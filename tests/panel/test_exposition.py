"""Numbers and probes for machines, and the files in deploy/ that read them."""

import json
import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries, Settings

from companion.clinics.models import Role
from companion.panel import bot_checks
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from companion.service.metrics import REGISTRY
from companion.telegram.outcomes import Answer
from tests.api.calls import a_program
from tests.builders import a_bot, a_clinic, a_message, a_patient

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
    bot_checks.keep(bot, bot_checks.Said(Answer({}, now), Answer({"url": ""}, now), 20.0, now), now=now)
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
