"""Fresh proofs of identity: a sign-in, a password, a code or a passkey within the last quarter of an hour.

Sensitive acts need a fresh proof, on pages and by the API with a session, since somebody may have stolen the session.
"""

import datetime as dt
from typing import Final

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest

BEGAN: Final = "began"
"""The session's key for the time of its sign-in, in seconds since 1970."""
PROVED: Final = "proved"
"""The session's key for the last proof after the sign-in."""
_SECONDS: Final[int] = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def is_fresh(request: HttpRequest, *, now: dt.datetime) -> bool:
    """Return whether the person has proved their identity within the last quarter of an hour."""
    records = get_authentication_records(request, request.user)
    proofs = [request.session.get(BEGAN, 0), request.session.get(PROVED, 0), *(record["at"] for record in records)]
    age: float = now.timestamp() - max(proofs)
    return age < _SECONDS
