"""The frame of every page: the clinic, the navigation, whether sending works, and the practice strip."""

import unicodedata
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from companion.clinics.access import Caller
from companion.clinics.members import CAME_BY, memberships
from companion.clinics.models import Role
from companion.clinics.operators import is_operator
from companion.listener import inbox
from companion.listener.models import Conversation
from companion.panel import health
from companion.panel.finding import Status
from companion.service.clock import database_now
from companion.web import undoing
from companion.web.account import provider


@dataclass(frozen=True, slots=True)
class NavLink:
    """An entry of the navigation bar."""

    view: str
    """The name of the page's address."""
    address: str
    label: str
    icon: str
    current: bool


@dataclass(frozen=True, slots=True)
class Banner:
    """The health banner: its tone and its words."""

    tone: Status
    words: str


def page(request: HttpRequest) -> dict[str, object]:
    """Build the context of every page. Without a signed-in caller, give only the values that the sign-in page
    needs.
    """
    caller: Caller | None = getattr(request, "caller", None)
    if caller is None:
        # `listed` is a function, which the sign-in page's template calls. Other pages then need no query.
        return {"practice": settings.SANDBOX_ON, "drill": settings.DRILL, "providers": provider.listed}
    return {
        "caller": caller,
        "clinic": caller.clinic,
        "may_act": caller.may(Role.PROVIDER),
        "is_admin": caller.may(Role.ADMIN),
        "nav_links": _nav_links(request.path),
        "is_operator": is_operator(request.user),
        "practice": settings.SANDBOX_ON,
        "drill": settings.DRILL,
        # These are lazy: a request for a part of a page doesn't show them and needs none of their queries.
        "banner": SimpleLazyObject(lambda: banner(caller)),
        "news": SimpleLazyObject(lambda: news(caller)),
        "undo": SimpleLazyObject(lambda: undoing.offered(request, now=database_now())),
        "clinics": SimpleLazyObject(lambda: _clinics(request)),
        "now": getattr(request, "now", None) or SimpleLazyObject(database_now),
    }


@dataclass(frozen=True, slots=True)
class News:
    """A summary of the inbox: how many conversations wait (in words), and which ask for urgent help."""

    waiting: str
    urgent: list[Conversation]
    stamp: str
    """A short hash of the shown values. Polling changes the page only if the hash has changed."""


def news(caller: Caller) -> News:
    """Summarise the inbox for the caller."""
    count = inbox.waiting(caller)
    shown = f"{inbox.COUNTED_TO - 1}+" if count >= inbox.COUNTED_TO else str(count or "")
    urgent = inbox.urgent(caller.clinic)
    stamp = f"{shown} {[(conversation.pk, conversation.urgent_at) for conversation in urgent]}"
    return News(shown, urgent, f"{crc32(stamp.encode()):08x}")


def banner(caller: Caller) -> Banner:
    """Say how sending works for the caller's clinic, in the words of the Control Panel."""
    now = database_now()
    report = health.check(now=now, clinic=caller.clinic)
    return Banner(report.status, health.sentence(report, now=now))


def _nav_links(path: str) -> list[NavLink]:
    entries = [
        ("messages", "Scheduled messages", "calendar-time"),
        ("inbox", "Inbox", "inbox"),
        ("patients", "Patients", "users"),
        ("control_panel", "Control Panel", "activity-heartbeat"),
        ("settings", "Settings", "settings"),
    ]
    links = [(view, reverse(view), label, icon) for view, label, icon in entries]
    return [NavLink(view, at, label, icon, path == at or path.startswith(f"{at}/")) for view, at, label, icon in links]


class _JoinedClinic(NamedTuple):
    """A clinic of which the signed-in person is a member."""

    id: uuid.UUID
    name: str
    """The clinic's name; with its slug if another clinic of this person has the same name."""


def _clinics(request: HttpRequest) -> list[_JoinedClinic]:
    if not request.user.is_authenticated:
        return []
    joined = memberships(request.user, request.session.get(CAME_BY)).order_by("clinic__name")
    rows = list(joined.values_list("clinic", "clinic__name", "clinic__slug"))
    alike = Counter(_read_aloud(name) for _, name, _ in rows)
    return [_JoinedClinic(id, f"{name} ({slug})" if alike[_read_aloud(name)] > 1 else name) for id, name, slug in rows]


def _read_aloud(name: str) -> str:
    """Return the name without the differences that people overlook."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
