"""Passkeys that no browser has made: in the right form, with a signature that proves nothing."""

import json
from typing import Final

from allauth.account.utils import user_pk_to_url_str
from django.test import Client
from fido2.utils import websafe_encode

from companion.clinics.models import Member

SIGN_IN: Final = "/accounts/2fa/webauthn/login/"


def a_wrong_passkey(member: Member | None = None) -> str:
    """A passkey's answer, which says that it belongs to this person, or to nobody."""
    said = {"type": "webauthn.get", "challenge": "AA", "origin": "http://testserver"}
    handle = user_pk_to_url_str(member.user) if member else "0"
    response = {
        "clientDataJSON": websafe_encode(json.dumps(said).encode()),
        "authenticatorData": websafe_encode(bytes(37)),
        "signature": websafe_encode(b"signed"),
        "userHandle": websafe_encode(handle.encode()),
    }
    return json.dumps(
        {"id": "AA", "rawId": "AA", "type": "public-key", "clientExtensionResults": {}, "response": response}
    )


def try_a_passkey(member: Member | None, *, client: Client | None = None, **extra: str) -> int:
    """Try to sign in with a wrong passkey alone. Returns the status."""
    browser = client or Client()
    browser.get(SIGN_IN, headers={"Accept": "application/json"})
    return browser.post(SIGN_IN, {"credential": a_wrong_passkey(member)}, **extra).status_code  # type: ignore[arg-type]
