"""Answers from the inbox to patients and strangers: sent, waiting, or refused with the reason."""

import uuid
from collections.abc import Callable

import pytest

from companion.clinics.models import Bot, Clinic, Closed, Role
from companion.listener.models import Conversation
from companion.patients.models import Consent, Patient
from companion.schedules.models import Message
from tests.api.calls import a_program
from tests.builders import NOW
from tests.listener.stories import a_text, comes_in
from tests.web.inbox import ana, bot, wrote
from tests.web.signed_in import nobody, signed_in, words

pytestmark = pytest.mark.django_db
__all__ = ["ana", "bot"]


def test_for_an_opted_out_patient_the_page_shows_the_reason_and_no_form(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana)
    Patient.objects.filter(pk=ana.pk).update(consent=Consent.WITHDRAWN)
    client = signed_in(bot.clinic)

    shown = client.get(f"/inbox/{conversation.id}")
    refused = client.post(f"/inbox/{conversation.id}/answer", {"id": str(nobody()), "text": "Hello"})

    assert "opted out with STOP: nothing can be sent" in words(shown)
    assert 'name="text"' not in shown.content.decode()
    assert refused.status_code == 422
    assert not Message.objects.filter(patient=ana).exists()


def test_an_answer_to_a_patient_who_blocked_the_bot_is_no_success(bot: Bot, ana: Patient) -> None:
    conversation = wrote(bot, ana, "Where are you?")
    Patient.objects.filter(pk=ana.pk).update(trouble="blocked")
    client = signed_in(bot.clinic)

    before = words(client.get(f"/inbox/{conversation.id}"))
    form = {"text": "Here.", "id": str(uuid.uuid4())}
    after = words(client.post(f"/inbox/{conversation.id}/answer", form, follow=True))

    assert "Probably won't arrive: The patient has blocked the bot." in before
    assert "Your answer is waiting. Probably won't arrive: The patient has blocked the bot." in after
    assert "on its way" not in after


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"trouble": "deactivated"}, "Probably won't arrive: The patient has deleted their Telegram account."),
        ({"trouble": "chat_not_found"}, "Probably won't arrive: The patient has no chat with the bot."),
        ({"consent": Consent.WITHDRAWN}, "The patient opted out with STOP: nothing can be sent."),
        ({"left_at": NOW}, "The patient has left the clinic's directory."),
        ({"telegram_id": None}, "The patient's Telegram ID is no longer known."),
    ],
)
def test_a_waiting_answer_that_will_not_arrive_is_never_shown_as_on_its_way(
    bot: Bot, ana: Patient, state: dict[str, object], sentence: str
) -> None:
    conversation = wrote(bot, ana, "Where are you?")
    client = signed_in(bot.clinic)
    client.post(f"/inbox/{conversation.id}/answer", {"text": "Here.", "id": str(uuid.uuid4())})

    Patient.objects.filter(pk=ana.pk).update(**state)

    for address in (
        f"/inbox/{conversation.id}",
        f"/inbox/{conversation.id}?part=messages",
        f"/patients/{ana.id}",
        f"/patients/{ana.id}/conversation",
    ):
        shown = words(client.get(address))
        assert f"Your answer is waiting. {sentence}" in shown
        assert "on its way" not in shown


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"trouble": "blocked"}, "blocked"),
        ({"trouble": "deactivated"}, "deactivated"),
        ({"trouble": "chat_not_found"}, "chat_not_found"),
        ({"consent": Consent.WITHDRAWN}, "opted_out"),
        ({"left_at": NOW}, "left"),
        ({"telegram_id": None}, "no_telegram_id"),
    ],
)
def test_a_waiting_answer_that_will_not_arrive_warns_over_the_api(
    bot: Bot, ana: Patient, state: dict[str, object], code: str
) -> None:
    conversation = wrote(bot, ana, "Where are you?")
    program = a_program(bot.clinic, Role.PROVIDER)
    sent = program.post(f"/inbox/{conversation.id}/answer", {"text": "Here."})
    assert (sent.status, sent.json["warnings"]) == (201, [])

    Patient.objects.filter(pk=ana.pk).update(**state)

    shown = program.get(f"/messages/{sent.json['id']}").json
    assert (shown["status"], [warning["code"] for warning in shown["warnings"]]) == ("pending", [code])


@pytest.mark.parametrize(
    "state", [{"consent": Consent.WITHDRAWN}, {"left_at": NOW}, {"telegram_id": None}], ids=["stopped", "left", "no ID"]
)
def test_an_answer_to_who_cannot_be_reached_any_more_is_refused_over_the_api(
    bot: Bot, ana: Patient, state: dict[str, object]
) -> None:
    conversation = wrote(bot, ana, "Where are you?")
    Patient.objects.filter(pk=ana.pk).update(**state)

    assert (
        a_program(bot.clinic, Role.PROVIDER).post(f"/inbox/{conversation.id}/answer", {"text": "Here."}).status == 409
    )
    assert not Message.objects.filter(text="Here.").exists()


def test_the_waiting_confirmation_of_a_stop_carries_no_warning(bot: Bot, ana: Patient) -> None:
    comes_in(bot, a_text(ana.telegram_id or 0, "STOP"))

    program = a_program(bot.clinic, Role.PROVIDER)
    assert program.get(f"/messages/{Message.objects.get().id}").json["warnings"] == []


@pytest.mark.parametrize(
    ("stop", "sentence"),
    [
        (lambda bot: Clinic.objects.filter(pk=bot.clinic_id).update(sending_paused_at=NOW), "Sending is paused"),
        (lambda bot: Bot.objects.filter(pk=bot.pk).update(closed_why=Closed.UNAUTHORIZED), "Telegram refuses the bot"),
    ],
)
def test_an_answer_that_waits_for_the_clinic_is_no_success(
    bot: Bot, ana: Patient, stop: Callable[[Bot], int], sentence: str
) -> None:
    conversation = wrote(bot, ana, "Where are you?")
    stop(bot)
    client, program = signed_in(bot.clinic), a_program(bot.clinic, Role.PROVIDER)

    before = words(client.get(f"/inbox/{conversation.id}"))
    after = words(
        client.post(f"/inbox/{conversation.id}/answer", {"text": "Here.", "id": str(uuid.uuid4())}, follow=True)
    )
    over_the_api = program.post(f"/inbox/{conversation.id}/answer", {"text": "Here."})

    assert sentence in before
    assert f"Your answer is waiting. {sentence}" in after
    assert "on its way" not in after
    assert over_the_api.json["warnings"][0]["message"].startswith(sentence)


def test_an_answer_to_a_stranger_that_is_too_long_is_refused_and_stays_typed(bot: Bot) -> None:
    comes_in(bot, a_text(5_900_000_001, "Do you have room?"))
    conversation = Conversation.objects.get(patient=None)
    text = "a" * 4_097

    page = signed_in(bot.clinic).post(f"/inbox/{conversation.id}/answer", {"text": text, "id": str(uuid.uuid4())})
    over_the_api = a_program(bot.clinic, Role.PROVIDER).post(f"/inbox/{conversation.id}/answer", {"text": text})

    assert page.status_code == 422
    assert text in page.content.decode()
    assert "1 character too long" in words(page)
    assert (over_the_api.status, over_the_api.wrong_fields) == (422, ["text"])
    assert not Message.objects.filter(created_by_kind__in=("member", "key")).exists()
