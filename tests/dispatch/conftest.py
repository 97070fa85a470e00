"""Shared ground of the dispatcher's tests: a clinic with a bot, and services that take the stand-in for Telegram."""

import pytest

from companion.clinics.models import Clinic
from tests.builders import a_bot, a_clinic
from tests.support.stand_in import StandIn


@pytest.fixture
def clinic() -> Clinic:
    clinic = a_clinic()
    a_bot(clinic)
    return clinic


@pytest.fixture
def environment(product_environment: dict[str, str], telegram: StandIn) -> dict[str, str]:
    return product_environment | {"COMPANION_TELEGRAM_API_URL": telegram.url, "COMPANION_LEASE_SECONDS": "5"}
