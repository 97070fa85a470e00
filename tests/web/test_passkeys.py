"""Passkeys: each answer that no browser wrote is refused (tests/browser has real passkeys)."""

import json

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from tests.builders import a_clinic
from tests.web.accounts import a_person, is_in, sign_in

pytestmark = pytest.mark.django_db

_HALF = {"clientDataJSON": "AA", "authenticatorData": "AA", "signature": "AA", "userHandle": "_w"}
_WHOLE = {"id": "AA", "rawId": "AA", "type": "public-key", "clientExtensionResults": {}, "response": _HALF}
_HUGE = _WHOLE | {"response": _HALF | {"userHandle": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"}}
_NEW = json.dumps(_WHOLE | {"response": {"attestationObject": "AA"} | _HALF})
ANSWERS = [*["", "x", "[]", "{}", "null", '{"id": 1}', '"x"', "[[]]", "1"], json.dumps(_WHOLE), json.dumps(_HUGE)]


@pytest.mark.parametrize("credential", ANSWERS)
def test_a_sign_in_with_an_unreadable_passkey_is_refused(credential: str) -> None:
    client = Client()
    client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})

    answer = client.post("/accounts/2fa/webauthn/login/", {"credential": credential})

    assert answer["Location"] == "/accounts/login/"
    assert not is_in(client)


@pytest.mark.parametrize(
    "credential", [*ANSWERS, json.dumps(_WHOLE | {"response": {"attestationObject": "AA"} | _HALF})]
)
def test_an_unreadable_new_passkey_is_refused(credential: str) -> None:
    client = sign_in(a_person(a_clinic()))
    client.get("/accounts/2fa/webauthn/add/")

    answer = client.post("/accounts/2fa/webauthn/add/", {"name": "Mine", "credential": credential})

    assert answer.status_code == 200
    assert not Authenticator.objects.exists()
