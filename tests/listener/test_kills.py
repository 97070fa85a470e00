"""The listener's process killed with -9 while updates come in: nothing is lost, and nothing is done twice."""

from functools import partial
from itertools import permutations

import pytest
from django.db.models import QuerySet
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Bot
from companion.listener import handling
from companion.listener.handling import SomebodyWasFaster
from companion.listener.models import Reply
from companion.patients.models import Consent, ConsentChange, Patient
from companion.sandbox import phone as phones
from companion.schedules.models import Message
from tests.builders import NOW, a_bot, a_clinic, a_patient
from tests.listener.stories import a_text, answers, incoming
from tests.support.services import a_service, eventually

pytestmark = pytest.mark.django_db(transaction=True)


def test_after_every_kill_all_updates_are_worked_off_once(
    live_server: LiveServer, settings: Settings, product_environment: dict[str, str]
) -> None:
    settings.SANDBOX_ON = True
    token = phones.make_bot("Linden", "linden_bot")
    bot = bots.connect(a_clinic(), token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox
    phone = phones.new_phone("Ana")
    phones.press_start(sandbox, phone)
    patient = a_patient(bot.clinic, telegram_id=phone.telegram_id)
    words = [f"text {number}" for number in range(60)]
    for word in words:
        phones.type_text(sandbox, phone, word)
    phones.type_text(sandbox, phone, "STOP")
    environment = product_environment | {"COMPANION_TELEGRAM_API_URL": f"{live_server.url}/sandbox"}
    replies = Reply.objects.filter(clinic=bot.clinic)

    for killed_at in (1, 20, 40):
        with a_service("listener", environment) as listener:
            eventually(partial(_at_least, replies, killed_at), "some replies")
            listener.kill()
    with a_service("listener", environment):
        eventually(lambda: Patient.objects.get(pk=patient.pk).consent == Consent.WITHDRAWN, "the STOP")

    kept = [reply.text for reply in Reply.objects.filter(clinic=bot.clinic).order_by("update_id")]
    assert [text for text in kept if text.startswith("text ")] == words
    assert ConsentChange.objects.filter(patient=patient, consent=Consent.WITHDRAWN).count() == 1
    assert Message.objects.filter(clinic=bot.clinic, patient=patient, text__isnull=False).exists()


def _at_least(replies: QuerySet[Reply], number: int) -> bool:
    return replies.count() >= number


def _replayed(bot: Bot, updates: list[tuple[int, str]], chat: int) -> None:
    """Telegram gives them in this order; each is taken as a poller does, from where the offset stands."""
    for update_id, words in updates:
        bot.refresh_from_db()
        try:
            handling.take(bot.id, incoming(a_text(chat, words), update_id), offset=bot.next_update_id, now=NOW)
        except SomebodyWasFaster:
            continue


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_updates_replayed_twice_change_nothing_twice_in_whatever_order(order: tuple[int, ...]) -> None:
    bot = a_bot(a_clinic())
    patient = a_patient(bot.clinic)
    assert patient.telegram_id
    updates = [(500, "Hello"), (501, "STOP"), (502, "Thanks")]
    _replayed(bot, updates, patient.telegram_id)
    before = (list(Reply.objects.values_list("update_id", "text")), len(answers(bot)), ConsentChange.objects.count())

    _replayed(bot, [updates[number] for number in order], patient.telegram_id)

    after = (list(Reply.objects.values_list("update_id", "text")), len(answers(bot)), ConsentChange.objects.count())
    patient.refresh_from_db()
    bot.refresh_from_db()
    assert after == before
    assert (patient.consent, bot.next_update_id) == (Consent.WITHDRAWN, 503)
