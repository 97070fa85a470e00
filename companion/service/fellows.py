"""The token by which the processes of one installation know each other at their health ports.

It follows from the secret key, which they share, so that it also works while the database is away.
"""

import hmac

from companion.service.key_ring import Key, ring


def credentials() -> str:
    """The `Authorization` header of a process that asks another one."""
    return _credentials(ring().in_use)


def is_fellow(header: str) -> bool:
    """Return whether the `Authorization` header comes from a process of this installation, by any key known here."""
    given = header.encode(errors="replace")
    return any(hmac.compare_digest(given, _credentials(key).encode()) for key in ring().keys)


def _credentials(key: Key) -> str:
    return f"Bearer {key.derived('health port').hex()}"
