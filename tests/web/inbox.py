"""The inbox's tests share a clinic with a bot, and Ana, who writes to it."""

import pytest

from companion.clinics.models import Bot
from companion.listener.models import Conversation
from companion.patients.models import Patient
from tests.builders import a_bot, a_clinic, a_patient
from tests.listener.stories import a_text, comes_in


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic(urgent_words=["help"], urgent_phone="112"))


@pytest.fixture
def ana(bot: Bot) -> Patient:
    return a_patient(bot.clinic, phone="+351 900 1")


def wrote(bot: Bot, ana: Patient, text: str = "Should I stop?") -> Conversation:
    comes_in(bot, a_text(ana.telegram_id or 0, text))
    return Conversation.objects.get(patient=ana)
