"""The clinic of the tests of a room that names clinics by their slugs."""

import pytest

from companion.clinics.models import Clinic
from tests.builders import a_clinic


@pytest.fixture
def clinic(db: None) -> Clinic:
    return a_clinic(slug="linden")
