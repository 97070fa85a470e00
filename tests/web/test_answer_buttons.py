"""Answer buttons: planned in the form, and a patient's taps on the pages."""

import pytest

from companion.clinics.models import Bot
from companion.patients.models import Patient
from companion.schedules.models import Message, Schedule
from tests.listener.stories import a_question, comes_in, tap_on
from tests.web.inbox import ana, bot
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db
__all__ = ["ana", "bot"]


def test_the_patient_s_page_shows_the_conversation_with_its_taps(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, 0))
    client = signed_in(bot.clinic)

    page, part = words(client.get(f"/patients/{ana.id}")), words(client.get(f"/patients/{ana.id}/conversation"))
    message = words(client.get(f"/scheduled-messages/{question.id}"))

    assert "Tapped: Taken" in page
    assert "Tapped: Taken" in part
    assert "Answer Taken ," in message
    assert "Answered: Taken" in words(client.get("/scheduled-messages?status=sent"))


def test_a_later_that_an_answer_made_needless_says_so(bot: Bot, ana: Patient) -> None:
    question = a_question(ana)
    comes_in(bot, tap_on(question, 1))
    comes_in(bot, tap_on(question, 0))
    later = Message.objects.get(follows=question, follow_kind="later")

    shown = words(signed_in(bot.clinic).get(f"/scheduled-messages/{later.id}"))

    assert "No longer needed: the patient has answered." in shown
    assert "The first message" in shown


def test_the_form_plans_buttons_and_the_time_to_wait(bot: Bot, ana: Patient) -> None:
    client = signed_in(bot.clinic)
    form = typed(ana, button=["Taken", "Later", ""], again=["", "PT30M", ""], answer_within="PT2H")

    preview = words(client.post("/scheduled-messages/new/preview", form))
    client.post("/scheduled-messages/new", form)
    schedule = Schedule.objects.get()
    edited = client.get(f"/scheduled-messages/series/{schedule.id}/edit").content.decode()

    assert "Taken Later" in preview
    assert schedule.answer_within is not None
    assert schedule.versions.get().buttons == '[["Taken", null], ["Later", 1800.0]]'
    assert 'value="Taken"' in edited
    assert 'value="PT30M" selected' in edited
    assert "Taken Later Without an answer 2 hours after it was sent, one reminder goes out" in words(
        client.get(f"/scheduled-messages/series/{schedule.id}")
    )


def test_a_wrong_button_is_named_beside_it(bot: Bot, ana: Patient) -> None:
    answer = signed_in(bot.clinic).post("/scheduled-messages/new", typed(ana, button=["Yes", "Yes"], again=["", ""]))

    assert answer.status_code == 422
    assert "Two buttons have the same text." in words(answer)
