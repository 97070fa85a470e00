"""A clinic's sign-in service: its keys, the ID token that it signs, and the time of the person's proof."""

import json
from typing import Final

import jwt

from companion.clinics.provider_calls import UNREACHABLE, UNREADABLE
from companion.web.account import id_token
from companion.web.account.provider import is_fresh_sign_in
from tests.builders import NOW
from tests.fuzz.inputs import fuzzed, json_of
from tests.fuzz.servers import Answering
from tests.web.relay import Relay, a_key, signed

_REFUSED: Final = (jwt.PyJWTError, *UNREACHABLE, *UNREADABLE)
_ISSUER, _NONCE = "https://login.example", id_token.nonce_of("state")
_CLAIMS: Final = {"iss": _ISSUER, "aud": "companion", "sub": "eva-1", "exp": 4e9, "iat": 1.7e9, "nonce": _NONCE}


def read(token: str, answering: Answering) -> dict[str, object] | None:
    """Return the claims of this token; None if it is refused by an error that the page expects."""
    try:
        return id_token.read(token, keys_url=answering.url, issuer=_ISSUER, client_id="companion", nonce=_NONCE)
    except _REFUSED:
        return None


@fuzzed("id_token", "exp", "iat", "nbf", "azp", "auth_time", "1e999", "NaN", "companion", "9" * 400)
def test_any_claims_that_a_service_signs_are_refused_or_answer_this_sign_in(answering: Answering, raw: bytes) -> None:
    answering.bodies(b"application/json", json.dumps({"keys": Relay().keys}).encode())
    given = json_of(raw)
    content = json.dumps(_CLAIMS | given).encode() if isinstance(given, dict) else raw
    token = jwt.api_jws.encode(content, a_key("own"), algorithm="RS256", headers={"kid": "k1"})

    claims = read(token, answering)

    if claims is not None:
        assert (claims["nonce"], claims["sub"]) == (_NONCE, str(claims["sub"]))
        assert is_fresh_sign_in(claims, NOW.timestamp(), must_tell=True) in (True, False)


@fuzzed("service_keys", "keys", "kty", "RSA", "EC", "OKP", "crv", "P-256", "AQAB", "alg", "use", "enc", "k1")
def test_any_keys_of_a_service_fit_its_token_or_are_refused(answering: Answering, raw: bytes) -> None:
    answering.bodies(b"application/json", raw)

    claims = read(signed(dict(_CLAIMS)), answering)

    assert claims is None or claims["sub"] == "eva-1"
