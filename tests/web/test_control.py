"""The Management Control Panel's pages: a clinic's people see their own clinic's numbers and nobody else's."""

import datetime as dt
from collections.abc import Iterator

import pytest

from companion.clinics.models import Clinic, Role
from companion.panel import health
from companion.schedules.models import Status
from companion.schedules.reasons import Reason
from companion.web.templatetags.times import day_name, when_inside
from tests.builders import a_bot, a_clinic, a_message, a_patient
from tests.web.signed_in import signed_in, soon, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _looks_anew() -> Iterator[None]:
    health.forget()
    yield
    health.forget()


def _a_troubled_clinic() -> Clinic:
    clinic = a_clinic(name="The other clinic", sending_paused_at=soon(-10))
    a_bot(clinic)
    for _ in range(3):
        a_message(a_patient(clinic, telegram_id=None), due_at=soon(-60), late_at=soon(60))
    return clinic


def test_the_banner_says_nothing_of_another_clinic() -> None:
    troubled, ours = _a_troubled_clinic(), a_clinic()
    a_bot(ours)

    assert "messages are overdue" in words(signed_in(troubled).get("/banner"))
    assert "messages are overdue" not in words(signed_in(ours).get("/banner"))


def test_the_control_panel_counts_nothing_of_another_clinic() -> None:
    _a_troubled_clinic()

    answer = signed_in(a_clinic()).get("/mcp")

    assert answer.context["status"].messages.pending == 0
    assert "The other clinic" not in words(answer)


def test_the_checks_name_no_other_clinics_patients() -> None:
    troubled, ours = _a_troubled_clinic(), a_clinic()
    name = "No Telegram ID"

    def missing(clinic: Clinic) -> str:
        answer = signed_in(clinic, Role.ADMIN).post("/mcp/checks")
        values = {result.name: result.value for result in answer.context["results"]}
        return str(values[name])

    assert missing(troubled) == "3 patients, messages wait for 3"
    assert missing(ours) == "nobody"


def test_a_near_day_inside_a_sentence_begins_with_a_small_letter_and_a_weekday_with_its_capital() -> None:
    now = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)

    inside = [when_inside(now + dt.timedelta(days=days), now) for days in (-1, 0, 1, 7)]

    assert inside == ["yesterday 12:00", "today 12:00", "tomorrow 12:00", "Thu 3 Dec 12:00"]
    assert day_name(now.date() + dt.timedelta(days=7), now) == "on Thu 3 Dec"


def test_the_list_and_the_question_say_of_which_messages_telegram_shows_no_trace() -> None:
    clinic = a_clinic()
    failed = {"status": Status.FAILED, "reason": Reason.OUTCOME_UNKNOWN, "ended_at": soon(-1), "no_trace_at": soon(-1)}
    message = a_message(a_patient(clinic), None, due_at=soon(-1), **failed)
    admin = signed_in(clinic, Role.ADMIN)

    assert "Telegram shows no trace of it" in words(admin.get("/mcp/unknown"))
    asked = words(admin.get(f"/mcp/unknown/{message.id}/resend"))
    assert "Telegram shows no trace of it." in asked
    assert "may get it twice" in asked


def test_nothing_is_asked_about_unknown_messages_that_are_all_decided() -> None:
    asked = words(signed_in(a_clinic(), Role.ADMIN).get("/mcp/unknown/all/resend"))

    assert "No message matches any more." in asked
    assert "One press decides" not in asked
