"""Fixtures of the pages' tests: a clinic, and two people who work in it at the same time."""

import pytest
from django.test import Client

from companion.clinics.models import Clinic, Role
from tests.builders import a_clinic
from tests.web.signed_in import signed_in


@pytest.fixture
def clinic(db: None) -> Clinic:
    return a_clinic()


@pytest.fixture
def rosa(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.ADMIN)


@pytest.fixture
def ben(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.ADMIN)
