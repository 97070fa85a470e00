"""Turn the Sandbox on in its tests, in any environment."""

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _sandbox_on(settings: Settings) -> None:
    settings.SANDBOX_ON = True
