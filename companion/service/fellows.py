"""The token by which the processes of one installation recognise each other at their health ports.

It is derived from the secret key, which they share, so it also works during an outage of the database.
"""

import hmac
from typing import Final

from companion.service.key_ring import keyed_hash, keyed_hashes

_PURPOSE: Final = "companion.service.fellows"


def credentials() -> str:
    """Return the `Authorization` header for a request to another process."""
    return f"Bearer {keyed_hash(_PURPOSE, '')}"


def is_fellow(header: str) -> bool:
    """Return whether the `Authorization` header comes from a process of this installation, also if the key changes."""
    sent = header.encode(errors="replace")
    accepted = [f"Bearer {token}".encode() for token in keyed_hashes(_PURPOSE, "")]
    return any(hmac.compare_digest(sent, token) for token in accepted)
