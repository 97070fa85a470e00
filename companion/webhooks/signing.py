"""Signatures as Standard Webhooks demands them (standardwebhooks.com): HMAC-SHA256 of id, time and body."""

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
    """Make a new secret in the form of the standard."""
    return f"{PREFIX}{base64.b64encode(secrets.token_bytes(_BYTES)).decode()}"


def headers(keys: Sequence[str], name: uuid.UUID, body: str, *, at: dt.datetime) -> dict[str, str]:
    """Return the three headers of a call that is made at this instant, signed with each of these secrets."""
    now = at.astimezone(dt.UTC)
    return {
        "webhook-id": str(name),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Signer(key).sign(str(name), now, body) for key in keys),
    }
