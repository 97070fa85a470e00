"""Fixtures for the tests of sources."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from companion.clinics.models import Clinic, Role
from companion.patients.sources import configuration
from tests.builders import NOW, a_caller, a_clinic
from tests.patients.hospital import MAPPING, Hospital, a_hospital


@pytest.fixture
def hospital(transactional_db: None, tmp_path: Path) -> Iterator[Hospital]:
    with a_hospital(tmp_path) as found:
        yield found


@pytest.fixture
def clinic(hospital: Hospital) -> Clinic:
    """Let the clinic's patients come from the hospital's database."""
    clinic = a_clinic()
    configuration.set_sql(a_caller(clinic, Role.ADMIN), hospital.url, MAPPING, now=NOW)
    return clinic
