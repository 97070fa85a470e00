"""What the fault tests share."""

from collections.abc import Iterator

import pytest

from companion.clinics.models import Clinic
from tests.builders import a_bot, a_clinic
from tests.support.stand_in import StandIn, stand_in


@pytest.fixture
def telegram() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


@pytest.fixture
def clinic() -> Clinic:
    clinic = a_clinic()
    a_bot(clinic)
    return clinic
