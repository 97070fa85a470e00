"""A signed-in member's browser (Django's test client), and the words of a page without its markup."""

import datetime as dt
import html
import re
import uuid
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.test import Client

from companion.clinics.models import Clinic, Member, Role
from companion.patients.models import Patient
from tests.builders import a_clinic, a_member

_BERLIN: Final = ZoneInfo("Europe/Berlin")

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer


def signed_in(clinic: Clinic, role: Role = Role.PROVIDER) -> Client:
    """Sign in a new member of this clinic."""
    client = Client()
    client.force_login(a_member(clinic, role).user)
    return client


def name_of(client: Client) -> str:
    """Name the signed-in member as the audit trail does."""
    return Member.objects.get(user_id=client.session["_auth_user_id"]).user.email


def read(answer: "Answer") -> "Answer":
    """Read an answer to its end, as a browser does: a streamed answer that nobody reads keeps its clinic's slot."""
    if answer.streaming:
        answer.getvalue()
    return answer


def words(answer: "Answer") -> str:
    """Read the page's words as a person does."""
    body = re.sub(r"<(script|style|svg|head).*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def a_clinic_by_day() -> Clinic:
    """Make a clinic whose clocks show about noon now, so that a coming message is today's, whenever the tests run."""
    ahead = 12 - dt.datetime.now(dt.UTC).hour
    # The signs of these zones' names are reversed: Etc/GMT-3 is east of Greenwich.
    return a_clinic(timezone=f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT")


def soon(minutes: float = 10) -> dt.datetime:
    """Return an instant from now, in whole seconds, because the pages' clock is the database's.

    An instant within the hour is still today in Berlin, where `a_clinic` is: shortly before midnight it moves closer.
    """
    now = dt.datetime.now(dt.UTC)
    midnight = dt.datetime.combine(now.astimezone(_BERLIN).date() + dt.timedelta(days=1), dt.time(), _BERLIN)
    hour = min(dt.timedelta(hours=1), midnight - dt.timedelta(seconds=1) - now)
    ahead = hour * minutes / 60 if 0 < minutes < 60 else dt.timedelta(minutes=minutes)
    return (now + ahead).replace(microsecond=0)


def typed(*patients: Patient, **fields: object) -> dict[str, object]:
    """Fill the planning form as a browser sends it: tomorrow at nine, once."""
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).date()
    return {
        "to": "patients",
        "patients": [str(patient.id) for patient in patients],
        "text": "Take your tablet, {first_name}.",
        "date": tomorrow.isoformat(),
        "time": "09:00",
        "repeat": "",
        "interval": "1",
        "zone": "named",
        "zone_name": "Europe/Berlin",
        "ends": "never",
        "review_on": (tomorrow + dt.timedelta(days=182)).isoformat(),
        "lane": "reminder",
        "if_unknown": "hold",
    } | fields


def nobody() -> uuid.UUID:
    """Return an id that no row has."""
    return uuid.uuid4()
