"""The practice phones' page."""

import pytest
from pytest_django import Settings

from companion.clinics import bots
from companion.clinics.models import Clinic, Role
from companion.sandbox import phone as sandbox
from companion.sandbox.models import Phone, SandboxBot, SandboxUpdate, State
from tests.builders import NOW, a_clinic, a_patient
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_the_sandbox(settings: Settings) -> None:
    settings.SANDBOX_ON = True


def _a_phone(clinic: Clinic, name: str = "Ana") -> tuple[SandboxBot, Phone]:
    token = sandbox.make_bot("Linden", "linden_practice_bot")
    bots.connect(clinic, token, "linden_practice_bot", sandbox=True, now=NOW)
    bot = sandbox.bot_of(token)
    assert bot
    return bot, sandbox.new_phone(bot, name)


def test_without_the_sandbox_there_are_no_phones(settings: Settings) -> None:
    settings.SANDBOX_ON = False

    assert signed_in(a_clinic()).get("/sandbox").status_code == 404


def test_a_phone_carries_its_patients_name() -> None:
    clinic = a_clinic()
    _, phone = _a_phone(clinic)
    a_patient(clinic, telegram_id=phone.telegram_id)

    assert "Ana Silva's phone" in words(signed_in(clinic).get(f"/sandbox/{phone.telegram_id}"))


def test_start_and_a_text_reach_the_bot() -> None:
    clinic = a_clinic()
    bot, phone = _a_phone(clinic)
    client = signed_in(clinic)

    client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "start"})
    client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "type", "text": "Thank you"})

    assert [message.text for message in sandbox.chat(bot, phone)] == ["/start", "Thank you"]


def test_a_text_is_edited_on_the_phone() -> None:
    clinic = a_clinic()
    bot, phone = _a_phone(clinic)
    client = signed_in(clinic)
    client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "start"})
    client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "type", "text": "I took 2"})
    number = sandbox.chat(bot, phone)[-1].message_id

    offered = words(client.get(f"/sandbox/{phone.telegram_id}"))
    client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "edit", "message": number, "text": "I took 3"})
    client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "edit", "message": "x", "text": "I took 4"})

    assert "Edit a message" in offered
    assert [message.text for message in sandbox.chat(bot, phone)] == ["/start", "I took 3"]
    assert "I took 3 edited" in words(client.get(f"/sandbox/{phone.telegram_id}?part=chat"))


def test_an_invitation_is_opened_on_a_phone() -> None:
    clinic = a_clinic()
    bot, phone = _a_phone(clinic)

    signed_in(clinic).post(
        f"/sandbox/{phone.telegram_id}/act", {"do": "link", "link": "https://t.me/linden_practice_bot?start=abc"}
    )

    assert [message.text for message in sandbox.chat(bot, phone)] == ["/start abc"]


@pytest.mark.parametrize("link", ["hello", "https://[t.me/linden_practice_bot?start=abc"])
def test_a_text_that_is_no_invitation_is_refused_with_a_sentence(link: str) -> None:
    clinic = a_clinic()
    _, phone = _a_phone(clinic)

    answer = signed_in(clinic).post(f"/sandbox/{phone.telegram_id}/act", {"do": "link", "link": link}, follow=True)

    assert "This is not an invitation" in words(answer)


def test_a_phone_blocks_the_bot() -> None:
    clinic = a_clinic()
    _, phone = _a_phone(clinic)

    signed_in(clinic).post(f"/sandbox/{phone.telegram_id}/act", {"do": "state", "state": "blocked"})

    phone.refresh_from_db()
    assert phone.state == State.BLOCKED
    assert SandboxUpdate.objects.exists()


def test_another_clinic_never_sees_or_uses_a_phone() -> None:
    linden, birch = a_clinic(), a_clinic()
    bot, anas = _a_phone(linden)
    _a_phone(birch, "Bo")
    a_patient(linden, "Ana Silva", telegram_id=anas.telegram_id)
    sandbox.press_start(bot, anas)
    client = signed_in(birch)

    acted = client.post(f"/sandbox/{anas.telegram_id}/act", {"do": "type", "text": "Hello"})

    pages = [client.get(f"/sandbox/{anas.telegram_id}{part}").status_code for part in ("", "?part=chat")]
    assert [acted.status_code, *pages] == [404, 404, 404]
    assert [message.text for message in sandbox.chat(bot, anas)] == ["/start"]
    lists = words(client.get("/sandbox")) + words(client.get("/sandbox?part=phones"))
    assert "Bo" in lists
    assert "Ana" not in lists
    assert str(anas.telegram_id) not in client.get("/sandbox").content.decode()


def test_a_person_whom_two_clinics_write_to_has_a_phone_in_each() -> None:
    linden, birch = a_clinic(), a_clinic()
    bot, phone = _a_phone(linden)
    sandbox.press_start(bot, phone)
    other, _ = _a_phone(birch, "Bo")
    same = Phone.objects.create(bot=other, telegram_id=phone.telegram_id, first_name="Phone 1")

    signed_in(birch).post(f"/sandbox/{same.telegram_id}/act", {"do": "state", "state": "blocked"})

    phone.refresh_from_db()
    assert phone.state == State.NORMAL
    assert sandbox.chat(other, same) == []


def test_without_a_practice_bot_no_phone_can_be_added() -> None:
    answer = signed_in(a_clinic()).post("/sandbox/phones", {"first_name": "Ana"})

    assert (answer.status_code, Phone.objects.exists()) == (404, False)


def test_a_viewer_only_looks() -> None:
    clinic = a_clinic()
    _, phone = _a_phone(clinic)
    client = signed_in(clinic, Role.VIEWER)

    assert client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "start"}).status_code == 403
    assert "Start" not in words(client.get(f"/sandbox/{phone.telegram_id}")).split("phone")[-1]
