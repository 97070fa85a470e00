"""Fixtures of the pages' tests: a clinic, two people who work in it at the same time, and a sign-in service."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics.models import Clinic, Role
from tests.builders import a_clinic
from tests.web.provider import a_provider, running_provider
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


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    with running_provider() as address:
        yield address


@pytest.fixture
def linden(db: None, issuer: str, settings: Settings) -> Clinic:
    """A clinic with a sign-in service of its own."""
    settings.OIDC_PROVIDERS = {"linden": a_provider(issuer)}
    return a_clinic(slug="linden", name="Linden")
