"""Fixtures of the tests of patients' rights."""

import pytest

from companion.clinics.models import Clinic
from tests.api.calls import Program, a_program
from tests.builders import a_clinic


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


@pytest.fixture
def api(clinic: Clinic) -> Program:
    return a_program(clinic)
