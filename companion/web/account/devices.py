"""The browsers from which a person has signed in before, and the address from which a request comes."""

import datetime as dt
import hashlib
import re
import secrets
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from companion.clinics.models import KnownDevice
from companion.service.client_address import UNKNOWN

COOKIE: Final = f"{'__Host-' if settings.SESSION_COOKIE_SECURE else ''}device"
_AGE: Final = dt.timedelta(days=400)
"""The longest time for which browsers keep a cookie."""
_NEW_COOKIE: Final = "new_device_cookie"
"""The attribute of the request that carries the new cookie to the middleware."""
_SYSTEMS: Final = ("iPhone", "iPad", "Android", "Windows", "Mac OS X", "Linux")
_BROWSERS: Final = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
"""Browsers in the order of the test: Edge and Opera also call themselves Chrome, and Chrome calls itself Safari."""


def address_of(request: HttpRequest) -> str:
    """Return the address from which the request came. config/middleware.py has put the client's address in place of a
    trusted proxy's.
    """
    return str(request.META.get("REMOTE_ADDR") or UNKNOWN)


def is_known(request: HttpRequest, user: User) -> bool:
    """Return whether the person has signed in from this browser before."""
    secret = hash_of_cookie(request)
    return bool(secret) and KnownDevice.objects.filter(user=user, secret_hash=secret).exists()


def hash_of_cookie(request: HttpRequest) -> str:
    """Return the hash of this browser's cookie; "" without a cookie."""
    secret = request.COOKIES.get(COOKIE, "")
    return _hash(secret) if secret else ""


def remember(request: HttpRequest, user: User, *, now: dt.datetime) -> None:
    """Remember that the person has signed in from this browser. The middleware then sends the cookie.

    The cookie is new each time, because somebody may have read the former cookie or placed it in the browser.
    """
    secret = secrets.token_urlsafe(32)
    if former := hash_of_cookie(request):
        KnownDevice.objects.filter(user=user, secret_hash=former).delete()
        # Other people who signed in from this browser: it stays known for them, too.
        KnownDevice.objects.filter(secret_hash=former).update(secret_hash=_hash(secret))
    KnownDevice.objects.create(user=user, secret_hash=_hash(secret), last_at=now)
    KnownDevice.objects.filter(user=user, last_at__lt=now - _AGE).delete()
    setattr(request, _NEW_COOKIE, secret)


def send_cookie(request: HttpRequest, answer: HttpResponseBase) -> None:
    """Send the cookie of a browser that was just remembered."""
    if secret := getattr(request, _NEW_COOKIE, None):
        answer.set_cookie(
            COOKIE, secret, max_age=_AGE, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )


def words_for(user_agent: str) -> str:
    """Name a browser and its system for people: "Firefox on Windows"."""
    browser = next((name for mark, name in _BROWSERS.items() if re.search(rf"\b{mark}\w*/", user_agent)), "A browser")
    system = next((name for name in _SYSTEMS if name in user_agent), "an unknown system")
    return f"{browser} on {system}"


def _hash(secret: str) -> str:
    # Anybody can send an invented cookie, with any characters in it.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
