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
    return bot, sandbox.new_phone(name)


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

    assert [one.text for one in sandbox.chat(bot, phone)] == ["/start", "Thank you"]


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
    assert [one.text for one in sandbox.chat(bot, phone)] == ["/start", "I took 3"]
    assert "I took 3 edited" in words(client.get(f"/sandbox/{phone.telegram_id}?part=chat"))


def test_an_invitation_is_opened_on_a_phone() -> None:
    clinic = a_clinic()
    bot, phone = _a_phone(clinic)

    signed_in(clinic).post(
        f"/sandbox/{phone.telegram_id}/act", {"do": "link", "link": "https://t.me/linden_practice_bot?start=abc"}
    )

    assert [one.text for one in sandbox.chat(bot, phone)] == ["/start abc"]


def test_what_is_no_invitation_is_said() -> None:
    clinic = a_clinic()
    _, phone = _a_phone(clinic)

    answer = signed_in(clinic).post(f"/sandbox/{phone.telegram_id}/act", {"do": "link", "link": "hello"}, follow=True)

    assert "This is no invitation" in words(answer)


def test_a_phone_blocks_the_bot() -> None:
    clinic = a_clinic()
    _, phone = _a_phone(clinic)

    signed_in(clinic).post(f"/sandbox/{phone.telegram_id}/act", {"do": "state", "state": "blocked"})

    phone.refresh_from_db()
    assert phone.state == State.BLOCKED
    assert SandboxUpdate.objects.exists()


def test_a_viewer_only_looks() -> None:
    clinic = a_clinic()
    _, phone = _a_phone(clinic)
    client = signed_in(clinic, Role.VIEWER)

    assert client.post(f"/sandbox/{phone.telegram_id}/act", {"do": "start"}).status_code == 403
    assert "Start" not in words(client.get(f"/sandbox/{phone.telegram_id}")).split("phone")[-1]
