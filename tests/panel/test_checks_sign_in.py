"""The check of clinics in which a password alone opens everything."""

import pytest
from pytest_django import Settings

from companion.clinics.models import Clinic
from companion.panel import diagnostics
from companion.panel.check import CheckResult
from companion.panel.checks_sign_in import second_step
from tests.builders import NOW, a_clinic
from tests.web.provider import a_provider

pytestmark = pytest.mark.django_db


def check(clinic: Clinic | None = None) -> CheckResult:
    [found] = second_step(clinic, now=NOW)
    return found


def test_clinics_that_demand_no_second_step_are_named(settings: Settings) -> None:
    settings.SANDBOX_ON = False
    linden, birch = a_clinic(slug="linden"), a_clinic(slug="birch", second_factor="admins")
    a_clinic(slug="gone", archived_at=NOW)

    assert (check().result, check().value) == ("warning", "not demanded in linden")
    assert (check(linden).result, check(birch).result) == ("warning", "ok")


def test_a_clinic_with_a_sign_in_service_leaves_it_to_the_service(settings: Settings) -> None:
    settings.SANDBOX_ON = False
    a_clinic(slug="linden")
    settings.OIDC_PROVIDERS = {"linden": a_provider("https://login.linden.example")}

    assert check().result == "ok"


def test_practice_needs_no_second_step() -> None:
    a_clinic()

    assert "practice" in check().value
    assert "Second step" in [checked.name for checked in diagnostics.run(now=NOW)]
