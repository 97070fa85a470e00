"""The ID token of a clinic's sign-in service counts only if the service signed it, for us, now, for this sign-in; and
our calls to the service go to no other place.
"""

import time
from collections.abc import Iterator

import jwt
import pytest
from django.test import Client
from pytest_django import Settings

from companion.clinics.models import Clinic
from tests.web.accounts import is_in
from tests.web.provider import LOGIN, SUB, a_provider, the_service_says, through_the_service
from tests.web.relay import WEAK, Claims, Relay, keys_of, relaying, signed
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def relay(issuer: str, linden: Clinic, settings: Settings) -> Iterator[Relay]:
    the_service_says(issuer, groups=["nurses"])
    with relaying(issuer) as relay:
        settings.OIDC_PROVIDERS = {"linden": a_provider(relay.address)}
        yield relay


def _without(claims: Claims, name: str) -> Claims:
    return {key: value for key, value in claims.items() if key != name}


def _by_the_clients_secret(claims: Claims) -> str:
    return jwt.encode(claims, "s" * 32, algorithm="HS256", headers={"kid": "k1"})


def _unsigned(claims: Claims) -> str:
    return jwt.encode(claims, "", algorithm="none", headers={"kid": "k1"})


REFUSED = {
    "of nobody": _unsigned,
    "signed by the client's secret": _by_the_clients_secret,
    "signed by another key": lambda claims: signed(claims, key="another"),
    "of a key that the service doesn't know": lambda claims: signed(claims, kid="k2"),
    "for another program": lambda claims: signed(claims | {"aud": "other"}),
    "for several programs, made for another": lambda claims: signed(
        claims | {"aud": ["companion", "other"], "azp": "other"}
    ),
    "of another service": lambda claims: signed(claims | {"iss": "https://evil.example"}),
    "that is over": lambda claims: signed(claims | {"exp": int(time.time()) - 60}),
    "of the future": lambda claims: signed(claims | {"iat": int(time.time()) + 3600}),
    "without an end": lambda claims: signed(_without(claims, "exp")),
    "of another sign-in": lambda claims: signed(claims | {"nonce": "another"}),
    "of no sign-in": lambda claims: signed(_without(claims, "nonce")),
    "about another person": lambda claims: signed(claims | {"sub": "otto-1"}),
    "that is none": lambda claims: "x.y.z",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_forged_or_foreign_token_signs_nobody_in(relay: Relay, kind: str) -> None:
    relay.token = REFUSED[kind]
    client = Client()

    answer = through_the_service(client)

    assert "The sign-in failed" in words(answer)
    assert not is_in(client)


def test_a_token_signed_by_a_key_that_can_be_broken_signs_nobody_in(relay: Relay) -> None:
    relay.keys = keys_of(WEAK)
    relay.token = lambda claims: signed(claims, key=WEAK)
    client = Client()

    answer = through_the_service(client)

    assert "The sign-in failed" in words(answer)
    assert not is_in(client)


TAKEN = {
    "as the service makes it": signed,
    "for several programs": lambda claims: signed(claims | {"aud": ["companion", "other"], "azp": "companion"}),
    "of an issuer with a slash": lambda claims: signed(claims | {"iss": f"{claims['iss']}/"}),
    "of a clock that is seconds ahead": lambda claims: signed(claims | {"iat": int(time.time()) + 10}),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_a_token_that_the_service_signed_signs_its_person_in(relay: Relay, kind: str) -> None:
    relay.token = TAKEN[kind]
    client = Client()

    through_the_service(client)

    assert is_in(client)


def test_a_service_with_one_key_may_leave_out_its_name(relay: Relay) -> None:
    del relay.keys[0]["kid"]
    relay.token = lambda claims: signed(claims, kid=None)
    client = Client()

    through_the_service(client)

    assert is_in(client)


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256"])
def test_a_key_may_leave_out_its_kind_of_signature(relay: Relay, algorithm: str) -> None:
    del relay.keys[0]["alg"]
    relay.token = lambda claims: signed(claims, algorithm=algorithm)
    client = Client()

    through_the_service(client)

    assert is_in(client)


def test_the_signed_claims_of_the_service_count_more_than_its_other_claims(relay: Relay) -> None:
    relay.token = lambda claims: signed(claims | {"groups": []})

    assert through_the_service(Client()).status_code == 403


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/oauth2/token", "/jwks", "/userinfo"])
def test_a_redirect_of_the_service_is_not_followed(relay: Relay, path: str) -> None:
    relay.leads[path] = f"{relay.address}/elsewhere"
    client = Client()

    answer = client.get(LOGIN) if path.startswith("/.well-known") else through_the_service(client)

    assert "The sign-in failed" in words(answer)
    assert path in relay.asked
    assert "/elsewhere" not in relay.asked


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/keys", "https://169.254.169.254/keys", "http://192.0.2.1/keys", "file:///etc/x"]
)
def test_no_call_goes_where_the_service_points_but_no_service_may_be(relay: Relay, address: str) -> None:
    relay.described["jwks_uri"] = address
    client = Client()

    answer = through_the_service(client)

    assert "The sign-in failed" in words(answer)
    assert not is_in(client)


@pytest.mark.parametrize("body", [b"[]", b"[" * 500_000])
def test_a_description_that_can_t_be_read_is_a_failed_sign_in(relay: Relay, body: bytes) -> None:
    relay.bodies["/.well-known/openid-configuration"] = body

    assert Client().get(LOGIN).status_code == 502


def test_an_answer_that_breaks_off_is_a_failed_sign_in(relay: Relay) -> None:
    relay.breaks_off = True

    assert Client().get(LOGIN).status_code == 502


def test_an_answer_without_an_end_is_not_read_to_its_end(relay: Relay) -> None:
    relay.described["padding"] = "x" * 2_000_000

    assert Client().get(LOGIN).status_code == 502


def test_the_question_holds_a_nonce_of_its_own_each_time(linden: Clinic) -> None:
    client = Client()

    asked = [client.get(LOGIN)["Location"].partition("nonce=")[2].partition("&")[0] for _ in range(2)]

    assert asked[0] != asked[1]
    assert all(len(nonce) == 64 for nonce in asked)
    assert SUB not in asked
