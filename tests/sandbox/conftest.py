"""Turn the Sandbox on in its tests, whatever the environment says."""

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _sandbox_on(settings: Settings) -> None:
    settings.SANDBOX_ON = True
