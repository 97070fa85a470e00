"""Fixtures for the API's tests: a clinic, and programs that call in its name."""

import datetime as dt
from collections.abc import Callable

import pytest

from companion.clinics.models import Clinic, Role
from tests.api.calls import Program, a_daily_schedule, a_program
from tests.builders import a_clinic, a_patient


@pytest.fixture
def clinic(db: None) -> Clinic:
    return a_clinic()


@pytest.fixture
def now() -> dt.datetime:
    """The machine's time, since the API asks its own clock."""
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def api(clinic: Clinic) -> Program:
    """A program with a provider's key."""
    return a_program(clinic, Role.PROVIDER)


@pytest.fixture
def program(clinic: Clinic) -> Callable[[Role], Program]:
    """A program with a key of another role."""
    return lambda role: a_program(clinic, role)


@pytest.fixture
def schedule(clinic: Clinic, api: Program) -> str:
    """The address of a daily series."""
    return f"/schedules/{api.post('/schedules', a_daily_schedule(a_patient(clinic))).json['id']}"
