"""Messages that are deleted from Telegram after an erasure, by the dispatcher as a real process."""

import subprocess
from collections.abc import Iterator

import pytest
from django.utils.timezone import now as present
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Clinic, Role
from companion.delivery import deleting
from companion.delivery.deleting import Posted
from companion.rights.erasing import erase
from companion.sandbox import phone as phones
from companion.schedules.models import Deletion, Message, Status
from companion.service.wake import ring
from tests.builders import NOW, a_caller, a_clinic, a_message, a_patient
from tests.support.services import a_service, eventually
from tests.support.stand_in import StandIn, refusal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dispatcher(
    product_environment: dict[str, str], telegram: StandIn, clinic: Clinic
) -> Iterator["subprocess.Popen[bytes]"]:
    with a_service("dispatcher", product_environment | {"COMPANION_TELEGRAM_API_URL": telegram.url}) as process:
        yield process


def test_a_message_goes_from_the_phone_when_its_patient_is_erased(
    live_server: LiveServer, settings: Settings, product_environment: dict[str, str]
) -> None:
    settings.SANDBOX_ON = True
    token, clinic = phones.make_bot("Linden", "linden_bot"), a_clinic()
    bots.connect(clinic, token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox
    phone = phones.new_phone(sandbox, "Ana")
    phones.press_start(sandbox, phone)
    patient = a_patient(clinic, telegram_id=phone.telegram_id)
    told = {"COMPANION_SANDBOX": "1", "COMPANION_TELEGRAM_API_URL": f"{live_server.url}/sandbox"}
    with a_service("dispatcher", product_environment | told):
        a_message(patient, due_at=(now := present()), ready_at=now, late_at=now.replace(year=now.year + 1))
        ring()
        eventually(lambda: Message.objects.filter(status=Status.SENT).exists())
        assert len(phones.chat(sandbox, phone)) == 2

        erase(a_caller(clinic, Role.ADMIN), patient, "Ana Silva", now=present())

        eventually(lambda: len(phones.chat(sandbox, phone)) == 1)
        eventually(lambda: not Deletion.objects.exists())
    # What the phone wrote before it was known stays: its Start was no Reply.
    assert [message.from_bot for message in phones.chat(sandbox, phone)] == [False]


def test_deleting_waits_where_telegram_asks_for_it_and_gives_up_what_it_keeps(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    telegram.refuse_delete = [
        refusal(429, "Too Many Requests: retry after 1", retry_after=1),
        refusal(400, "Bad Request: message can't be deleted for everyone"),
    ]

    deleting.ask(clinic, [Posted(5_000, 1, present()), Posted(5_000, 2, present())], now=present())

    eventually(lambda: not Deletion.objects.exists())
    assert len(telegram.deleted) == 1
    assert telegram.asked.count("deleteMessage") == 3
