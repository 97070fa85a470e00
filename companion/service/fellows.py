"""The token by which the processes of one installation know each other at their health ports.

It follows from the secret key, which they share, so that it also works while the database is away.
"""

import hmac
from typing import Final

from companion.service.key_ring import keyed_hash, keyed_hashes

_PURPOSE: Final = "companion.service.fellows"


def credentials() -> str:
    """Return the `Authorization` header of a process that asks another one."""
    return f"Bearer {keyed_hash(_PURPOSE, '')}"


def is_fellow(header: str) -> bool:
    """Judge whether the `Authorization` header is of a process of this installation, even while the key changes."""
    given = header.encode(errors="replace")
    known = [f"Bearer {one}".encode() for one in keyed_hashes(_PURPOSE, "")]
    return any(hmac.compare_digest(given, one) for one in known)
