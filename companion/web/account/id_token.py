"""Check the ID token of a clinic's sign-in service: its signature, receiver, age and nonce."""

import hashlib
from typing import Final

import jwt

from companion.clinics.provider_calls import Calls

LEEWAY_SECONDS: Final = 30
"""The largest tolerated difference between this machine's clock and the service's."""
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a private key. A signature by the client's secret (HS256), and a token without any, are refused."""
_NEEDED: Final = ("iss", "aud", "exp", "iat", "sub", "nonce")


def nonce_of(state: str) -> str:
    """Return the nonce of a sign-in. Only the browser's session holds the sign-in's state, and accepts it once."""
    return hashlib.sha256(f"nonce of {state}".encode()).hexdigest()


def read(token: str, *, keys_url: str, issuer: str, client_id: str, nonce: str) -> dict[str, object]:
    """Return the token's claims. Raises jwt.PyJWTError, and the errors of a call for the service's keys."""
    claims: dict[str, object] = jwt.decode(
        token,
        _key(keys_url, token),
        algorithms=_ALGORITHMS,
        audience=client_id,
        # The service's name for itself may end with a slash, or not.
        issuer=(issuer.rstrip("/"), f"{issuer.rstrip('/')}/"),
        leeway=LEEWAY_SECONDS,
        # RSA keys need 2048 bits. PyJWT alone would only warn of a key that can be broken.
        options={"require": list(_NEEDED), "enforce_minimum_key_length": True},
    )
    if claims.get("azp", client_id) != client_id:
        raise jwt.InvalidAudienceError("the token was made for another program")
    if claims["nonce"] != nonce:
        raise jwt.InvalidTokenError("the token answers another question")
    return claims


def _key(keys_url: str, token: str) -> jwt.PyJWK:
    """Return the service's key that the token names. A token of a service with a single key need not name it."""
    # Fetch the keys each time: services change their keys, and withdraw lost keys.
    with Calls() as calls:
        answer = calls.get(keys_url)
        answer.raise_for_status()
        published = answer.json()["keys"]
    header = jwt.get_unverified_header(token)
    # A key need not name its kind of signature. Then the token does: `read` accepts only signatures by a private key.
    keys = jwt.PyJWKSet.from_dict({"keys": [{"alg": header.get("alg")} | key for key in published]}).keys
    key_id = header.get("kid")
    fitting = [key for key in keys if key.public_key_use != "enc" and key_id in (None, key.key_id)]
    if len(fitting) != 1:
        raise jwt.InvalidKeyError("no key, or more than one key, fits the token")
    return fitting[0]
