"""Signatures by Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over id, time and body, by a shared secret."""

import base64
import datetime as dt
import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from standardwebhooks import Webhook as Signer

PREFIX: Final = "whsec_"
_BYTES: Final = 32


def new_secret() -> str:
    """A fresh secret in the standard's form."""
    return f"{PREFIX}{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}"


def headers(keys: Sequence[str], name: uuid.UUID, body: str, *, at: dt.datetime) -> dict[str, str]:
    """The three headers of a call that is made at this instant (in UTC), signed with each of these secrets."""
    now = at.astimezone(dt.UTC)
    return {
        "webhook-id": str(name),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Signer(key).sign(str(name), now, body) for key in keys),
    }
