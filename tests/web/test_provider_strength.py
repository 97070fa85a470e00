"""A sign-in service must confirm how a person signed in there, if the operator's file demands it."""

import time
from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics.models import ApiKey, Clinic
from tests.web.accounts import acts_of, aged, is_in
from tests.web.provider import LOGIN, a_provider, the_service_says, through_the_service
from tests.web.relay import Claims, Relay, relaying, signed
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def relay(issuer: str, linden: Clinic) -> Iterator[Relay]:
    the_service_says(issuer, groups=["heads"])
    with relaying(issuer) as relay:
        yield relay


def _demand(settings: Settings, relay: Relay, **demands: object) -> None:
    settings.OIDC_PROVIDERS = {"linden": a_provider(relay.address, **demands)}


def _says(relay: Relay, told: Claims) -> None:
    relay.token = lambda claims: signed({name: value for name, value in claims.items() if name != "amr"} | told)


@pytest.mark.parametrize(
    ("demands", "told"),
    [
        ({"amr": ["mfa"]}, {}),
        ({"amr": ["mfa"]}, {"amr": ["pwd"]}),
        ({"amr": ["mfa"]}, {"amr": "pwd mfa"}),
        ({"amr": ["mfa"]}, {"amr": {"mfa": True}}),
        ({"amr": ["mfa"]}, {"amr": None}),
        ({"acr": ["gold"]}, {}),
        ({"acr": ["gold"]}, {"acr": "silver"}),
        ({"acr": ["gold"]}, {"amr": ["gold"]}),
        ({"acr": ["gold"], "amr": ["mfa"]}, {"acr": "gold"}),
        ({"acr": ["gold"], "amr": ["mfa"]}, {"amr": ["mfa"]}),
    ],
)
def test_a_sign_in_that_the_service_does_not_confirm_is_refused_in_words_and_recorded(
    relay: Relay, linden: Clinic, settings: Settings, demands: Claims, told: Claims
) -> None:
    _demand(settings, relay, **demands)
    _says(relay, told)
    client = Client()

    answer = through_the_service(client)

    assert answer.status_code == 403
    assert "This sign-in is not strong enough" in words(answer)
    assert not is_in(client)
    assert acts_of(linden) == ["sign-in without the demanded strength"]


@pytest.mark.parametrize(
    ("demands", "told"),
    [
        ({"amr": ["mfa"]}, {"amr": ["pwd", "mfa"]}),
        ({"amr": ["hwk", "mfa"]}, {"amr": ["mfa"]}),
        ({"amr": ["mfa"]}, {"amr": "mfa"}),
        ({"acr": ["silver", "gold"]}, {"acr": "gold"}),
        ({"acr": ["gold"], "amr": ["mfa"]}, {"acr": "gold", "amr": ["mfa"]}),
    ],
)
def test_a_sign_in_that_the_service_confirms_opens(
    relay: Relay, settings: Settings, demands: Claims, told: Claims
) -> None:
    _demand(settings, relay, **demands)
    _says(relay, told)
    client = Client()

    through_the_service(client)

    assert is_in(client)


def test_only_what_the_service_signed_confirms(relay: Relay, issuer: str, settings: Settings) -> None:
    the_service_says(issuer, groups=["heads"], amr=["mfa"])
    _demand(settings, relay, amr=["mfa"])
    _says(relay, {})

    assert through_the_service(Client()).status_code == 403


def test_the_service_is_asked_for_the_demanded_kind(relay: Relay, settings: Settings) -> None:
    _demand(settings, relay, acr=["gold", "silver"])

    assert "acr_values=gold+silver" in Client().get(LOGIN)["Location"]


@pytest.mark.parametrize(
    ("auth_time", "proves"),
    [(None, False), (-3600, False), (-5, True), (86_400, False), pytest.param(10**400, False, id="beyond all numbers")],
)
def test_a_service_may_have_to_say_when_the_person_proved_it(
    relay: Relay, linden: Clinic, settings: Settings, auth_time: int | None, proves: bool
) -> None:
    _demand(settings, relay, auth_time=True)
    told: Claims = {} if auth_time is None else {"auth_time": int(time.time()) + auth_time}
    relay.token = lambda claims: signed({name: value for name, value in claims.items() if name != "auth_time"} | told)
    client = Client()
    through_the_service(client)
    aged(client, began=time.time() - 3600)
    client.post("/settings/keys", {"name": "till", "role": "viewer"})

    through_the_service(client, login=client.get("/accounts/reauthenticate/")["Location"])

    assert ApiKey.objects.filter(clinic=linden).exists() == proves


@pytest.mark.parametrize(
    ("demands", "said"), [({}, "we check nothing"), ({"amr": ["mfa"]}, "the service must confirm")]
)
def test_the_settings_say_how_people_of_the_service_are_treated(
    relay: Relay, linden: Clinic, settings: Settings, demands: Claims, said: str
) -> None:
    admin = Client()
    _demand(settings, relay)
    through_the_service(admin)
    _demand(settings, relay, **demands)

    assert said in words(admin.get("/settings"))
