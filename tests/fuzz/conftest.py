"""Fixtures of the property tests. Hypothesis gives all inputs of a test the same fixtures."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from companion.clinics.models import Clinic
from tests.builders import a_clinic
from tests.fuzz.servers import Answering


@pytest.fixture
def clinic(db: None) -> Clinic:
    return a_clinic()


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Make a folder, in memory if the machine can: each input of a test is written into a file there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture(scope="session")
def answering() -> Iterator[Answering]:
    server = Answering()
    yield server
    server.close()
