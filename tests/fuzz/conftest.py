"""Fixtures of the property tests. Hypothesis gives all inputs of a test the same ones."""

from collections.abc import Iterator

import pytest

from companion.clinics.models import Clinic
from tests.builders import a_clinic
from tests.fuzz.servers import Answering


@pytest.fixture
def clinic(db: None) -> Clinic:
    return a_clinic()


@pytest.fixture(scope="session")
def answering() -> Iterator[Answering]:
    server = Answering()
    yield server
    server.close()
