"""The bot through which the tests of the engine send."""

import pytest

from companion.clinics.models import Bot
from tests.builders import a_bot, a_clinic


@pytest.fixture
def bot(db: None) -> Bot:
    return a_bot(a_clinic())
