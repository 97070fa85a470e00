"""Refuse long bodies of strangers unread: no stranger may make the server parse a form of a hundred megabytes.

Django's check of a form's token reads the whole form, before any page asks who sent it.
"""

from collections.abc import Callable
from typing import Final

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from companion.web.whole_page import lead_to

_LONG: Final = 64 * 1024
"""The forms that strangers may send (a sign-in, a code, a passkey) are much shorter."""
_JUDGED_ELSEWHERE: Final = ("/api/", "/sandbox/bot")
"""Calls of programs, which need no token of a form. The API judges their bodies after the key."""
Answer = Callable[[HttpRequest], HttpResponseBase]


def strangers_bodies(get_response: Answer) -> Answer:
    """Lead strangers who send a long body to the sign-in.

    A middleware; it needs the request's user.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if _is_long(request) and not request.path.startswith(_JUDGED_ELSEWHERE) and not request.user.is_authenticated:
            return lead_to(request, redirect_to_login(reverse("messages")).url)
        return get_response(request)

    return middleware


def _is_long(request: HttpRequest) -> bool:
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    return length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > _LONG)
