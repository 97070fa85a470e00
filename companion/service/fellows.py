"""The token by which the processes of one installation know each other at their health ports.

It follows from the secret key, which they share, so that it also works while the database is away.
"""

import hashlib
import hmac

from django.conf import settings


def credentials() -> str:
    """The `Authorization` header of a process that asks another one."""
    derived = hmac.new(settings.SECRET_KEY.encode(), b"companion health port", hashlib.sha256)
    return f"Bearer {derived.hexdigest()}"


def is_fellow(header: str) -> bool:
    """Whether the `Authorization` header comes from a process of this installation."""
    return hmac.compare_digest(header.encode(errors="replace"), credentials().encode())
