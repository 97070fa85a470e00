"""Read the ID token of a clinic's sign-in service: signed by the service, for this program, now, for this question."""

import hashlib
from typing import Final

import jwt

from companion.clinics.provider_calls import Calls

_LEEWAY_SECONDS: Final = 30
"""The difference between the clocks here and there that does no harm."""
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a private key. A signature by the client's secret (HS256), and a token without any, are refused."""
_NEEDED: Final = ("iss", "aud", "exp", "iat", "sub", "nonce")


def nonce_of(state: str) -> str:
    """The nonce of a sign-in. Only the browser's own session holds its state, and takes the state once."""
    return hashlib.sha256(f"nonce of {state}".encode()).hexdigest()


def read(token: str, *, keys_url: str, issuer: str, client_id: str, nonce: str) -> dict[str, object]:
    """The token's words. Raises jwt.PyJWTError, and the errors of a call for the service's keys."""
    told: dict[str, object] = jwt.decode(
        token,
        _key(keys_url, token),
        algorithms=_ALGORITHMS,
        audience=client_id,
        leeway=_LEEWAY_SECONDS,
        options={"require": list(_NEEDED)},
    )
    if str(told["iss"]).rstrip("/") != issuer.rstrip("/"):
        raise jwt.InvalidIssuerError("the token comes from another service")
    if told.get("azp", client_id) != client_id:
        raise jwt.InvalidAudienceError("the token was made for another program")
    if told["nonce"] != nonce:
        raise jwt.InvalidTokenError("the token answers another question")
    return told


def _key(keys_url: str, token: str) -> jwt.PyJWK:
    """The service's key that the token names; a service with a single key may leave the name out."""
    # Asked for anew each time: services change their keys, and withdraw lost ones.
    with Calls() as calls:
        answer = calls.get(keys_url)
        answer.raise_for_status()
        keys = jwt.PyJWKSet.from_dict(answer.json()).keys
    named = jwt.get_unverified_header(token).get("kid")
    found = [key for key in keys if key.public_key_use != "enc" and named in (None, key.key_id)]
    if len(found) != 1:
        raise jwt.InvalidKeyError("no key, or no single one, fits the token")
    return found[0]
