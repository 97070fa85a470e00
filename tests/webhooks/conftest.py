"""Shared ground of the webhooks' tests: a clinic, and a program that takes its events."""

from collections.abc import Iterator

import pytest

from companion.clinics.models import Clinic
from tests.builders import a_clinic
from tests.support.receivers import Hook, a_program


@pytest.fixture
def hook() -> Iterator[Hook]:
    with a_program() as program:
        yield program


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()
