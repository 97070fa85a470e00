"""A clinic's bot, and Ana, its patient, for the listener's tests."""

import pytest

from companion.clinics.models import Bot
from companion.patients.models import Patient
from tests.builders import a_bot, a_clinic, a_patient


@pytest.fixture
def bot() -> Bot:
    return a_bot(a_clinic())


@pytest.fixture
def ana(bot: Bot) -> Patient:
    return a_patient(bot.clinic)


@pytest.fixture
def other_bot() -> Bot:
    """A bot of another clinic."""
    return a_bot(a_clinic())
