"""Authentication: an API key or a session, and the role that an operation needs. Keys and sessions are made elsewhere.

A call with a session also needs Django's CSRF token if its method is unsafe. A wrong key never falls back to a session.
"""

from typing import Final, cast

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from ninja.errors import AuthenticationError, HttpError
from ninja.utils import check_csrf

from companion.api import limits
from companion.api.scopes import scopes_of
from companion.clinics.access import Caller, CallerRequest
from companion.clinics.api_keys import caller_of_key, secret_of
from companion.clinics.members import caller_of_member, chosen_member
from companion.clinics.models import Role
from companion.clinics.proofs import is_fresh
from companion.clinics.second_factors import is_missing
from companion.service.clock import database_now
from companion.service.slots import LONG

BODY_BYTES: Final = 2 * 1024 * 1024
IMPORT_BYTES: Final = 50 * 1024 * 1024
SECURITY_SCHEMES: Final = {
    "key": {"type": "http", "scheme": "bearer", "description": "An API key: `companion key add NAME --role provider`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "A signed-in member's session; unsafe methods need the header X-CSRFToken as well.",
    },
}


class Needs:
    """Ninja's authentication of one operation: checks the caller's role and leaves the Caller in `request.caller`.

    It then refuses a body that is too large or has a wrong media type, before any other code reads the body. A caller
    who is not let in gets no answer about the body.
    """

    csrf = True  # tells ninja's reference page to send the token

    def __init__(self, role: Role, media_type: str = "", *, long: bool = False, fresh: bool = False) -> None:
        self.role = role
        self.media_type = media_type
        self.long = long
        self.fresh = fresh

    def __call__(self, request: HttpRequest) -> Caller:
        caller = caller_of(request)
        caller.needs(self.role)
        if self.fresh and caller.kind == "member" and not is_fresh(request, now=database_now()):
            # With `next`, the page drops a form that may still wait there for a proof (web/account/proof.py).
            raise HttpError(403, "Confirm first that it's you: open /accounts/reauthenticate/?next=/ in this browser.")
        _check_length(request)
        _check_media_type(request, self.media_type)
        if self.long:
            limits.hold(request, LONG, caller)
        return caller


def caller_of(request: HttpRequest) -> Caller:
    """Return the Caller of a key or a session.

    Raises AuthenticationError (401) without a valid key or session, NotAllowed for a key that may not be used here,
    Busy for a key that calls too often or a person with too many calls at once, and HttpError 403 if the CSRF token or
    the sign-in's second step is missing.
    """
    header = request.headers.get("Authorization", "")
    caller = _caller_by_key(request, header) if header else _caller_by_session(request)
    if caller is None:
        raise AuthenticationError
    return caller


def _caller_by_key(request: HttpRequest, header: str) -> Caller | None:
    secret = secret_of(header)
    now = database_now()
    caller = caller_of_key(secret, request.META["REMOTE_ADDR"], now=now) if secret else None
    if caller:
        cast("CallerRequest", request).caller = caller
        limits.admit(request, caller, now=now)
        if caller.scopes:
            for scope in scopes_of(request.path):
                caller.needs_scope(scope)
    return caller


def _caller_by_session(request: HttpRequest) -> Caller | None:
    if not request.user.is_authenticated:
        return None
    member = chosen_member(request.user, request.session)
    if member is None:
        return None
    caller = cast("CallerRequest", request).caller = caller_of_member(member)
    if check_csrf(request) is not None:
        raise HttpError(403, "The CSRF token is missing or wrong: send it in the header X-CSRFToken.")
    if is_missing(caller, request.user):
        raise HttpError(403, "Your clinic asks for a second step at the sign-in. Set it up on /accounts/2fa/ first.")
    limits.hold_of_person(request)
    return caller


def _check_length(request: HttpRequest) -> None:
    limit = IMPORT_BYTES if request.path == reverse("api:import_patients") else BODY_BYTES
    # The server has read the whole body by now, also if it came in chunks, so it knows the length.
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > limit):
        raise HttpError(413, f"The body is too large: this address accepts at most {limit // (1024 * 1024)} MB.")


def _check_media_type(request: HttpRequest, media_type: str) -> None:
    if not media_type or (request.content_type == media_type):
        return
    if not request.META.get("CONTENT_LENGTH") or request.META["CONTENT_LENGTH"] == "0":
        # An empty body passes: its reader then names each missing field.
        return
    raise HttpError(415, f"Send the body as {media_type}.")
