"""Health, the Control Panel's numbers, the metrics and the API's entry page."""

from collections.abc import Callable
from typing import NoReturn

import pytest
from django.db import OperationalError, connection

from companion.clinics.models import Clinic, Role
from companion.panel import health
from tests.api.calls import NOBODY, PROBLEM, Json, Program, a_program
from tests.builders import NOW, a_bot, a_clinic
from tests.web.signed_in import signed_in


@pytest.fixture(autouse=True)
def _nothing_seen_before() -> None:
    health.forget()


@pytest.mark.django_db
def test_health_is_told_without_a_sign_in() -> None:
    answer = NOBODY.get("/health")

    assert answer.status == (503 if answer.json["status"] == "down" else 200)
    assert answer.media_type == "application/json"
    assert {"status", "source", "checked_at", "layers"} <= set(answer.json)
    assert all(set(layer) == {"layer", "status", "detail"} for layer in answer.json["layers"])


@pytest.mark.django_db
def test_strangers_hear_of_status_and_causes_and_no_words() -> None:
    clinic = a_clinic(name="Linden Clinic", sending_paused_at=NOW)
    a_bot(clinic, username="linden_bot")

    answer = NOBODY.get("/health")

    assert "paused" in answer.json["causes"]
    assert "paused" in answer.json["detail"]
    assert not any(layer["detail"] for layer in answer.json["layers"])
    assert "start it again" not in answer.text
    assert "linden" not in answer.text.lower()


@pytest.mark.django_db
@pytest.mark.parametrize("way", ["key", "session"])
def test_details_are_told_with_a_sign_in_and_of_the_own_clinic_only(way: str) -> None:
    paused, ours = a_clinic(sending_paused_at=NOW), a_clinic()
    a_bot(paused)
    a_bot(ours)

    def seen_by(clinic: Clinic) -> Json:
        if way == "session":
            return signed_in(clinic, Role.VIEWER).get("/api/scheduler/health").json()
        return a_program(clinic, Role.VIEWER).get("/health").json

    own, other = seen_by(paused), seen_by(ours)

    assert "paused" in own["causes"]
    assert "start it again" in own["detail"]
    assert all(layer["detail"] for layer in own["layers"])
    assert "paused" not in str(other)


@pytest.mark.django_db
def test_a_wrong_key_gets_the_answer_of_strangers() -> None:
    a_bot(a_clinic(sending_paused_at=NOW))

    answer = Program("ack_wrong").get("/health")

    assert "paused" in answer.json["causes"]
    assert "start it again" not in answer.text


@pytest.mark.django_db
def test_with_a_key_health_is_told_also_while_the_database_is_away() -> None:
    program = a_program(a_clinic(), Role.VIEWER)
    program.get("/health")
    health.forget()

    def lost(*_: object) -> NoReturn:
        raise OperationalError("the connection is lost")

    with connection.execute_wrapper(lost):
        away = program.get("/health")

    assert (away.status, away.json["causes"][0]) == (503, "database_gone")


def test_the_panels_numbers_have_their_fixed_names(program: Callable[[Role], Program]) -> None:
    panel = program(Role.VIEWER).get("/api/mcp/status").json

    names = {"status", "services", "messages", "delivery_lag_seconds", "database", "telegram"}
    assert names <= set(panel)
    assert set(panel["messages"]) >= {
        "pending",
        "due",
        "overdue",
        "oldest_overdue_seconds",
        "sent_24h",
        "failed_24h",
    }
    assert set(panel["delivery_lag_seconds"]) == {"p50", "p99"}


@pytest.mark.django_db
def test_the_panels_numbers_are_for_the_clinic_only() -> None:
    answer = NOBODY.get("/api/mcp/status")

    assert (answer.status, answer.media_type) == (401, PROBLEM)


def test_each_check_says_what_it_found_and_what_to_do(api: Program) -> None:
    answer = api.post("/api/mcp/diagnostics")

    assert answer.status == 200
    assert all({"name", "group", "result", "value", "advice"} == set(check) for check in answer.json["checks"])


@pytest.mark.django_db
def test_metrics_ask_for_a_key() -> None:
    assert NOBODY.get("/metrics").status == 401


def test_metrics_are_told_to_prometheus_with_a_key(program: Callable[[Role], Program]) -> None:
    answer = program(Role.VIEWER).get("/metrics")

    assert (answer.status, answer.media_type) == (200, "text/plain")
    assert "# TYPE companion_messages_sent_total counter" in answer.text


@pytest.mark.django_db
def test_the_front_door_links_to_all_of_it_and_every_link_leads_somewhere(api: Program) -> None:
    links = NOBODY.get("").json["links"]

    statuses = {name: api.get(link).status for name, link in links.items()}

    # Links that accept only POST answer 405.
    assert {name for name, status in statuses.items() if status == 405} == {
        "schedules_preview",
        "patients_import",
        "enrolments",
        "patient_pauses",
        "control_panel_diagnostics",
    }
    assert set(statuses.values()) <= {200, 405, 503}
