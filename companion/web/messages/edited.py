"""The form that changes one message: its text, date and time, for a Message and for a planned Occurrence.

Not here: the two pages that show the form (page.py, occurrence.py).
"""

import datetime as dt
from typing import Final

from django.http import QueryDict
from django.utils import timezone

from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem, Refused
from companion.schedules import wording
from companion.schedules.models import Message
from companion.schedules.text import as_typed
from companion.times.walls import parse_wall, resolve
from companion.web.conflicts import Fields, Value

LABELS: Final = {"text": "Text", "date": "Date", "time": "Time"}


def held(message: Message) -> dict[str, Value]:
    """Read the message's values as the form shows them."""
    due = timezone.localtime(message.due_at)
    return {"text": wording.template_of(message), "date": f"{due:%Y-%m-%d}", "time": f"{due:%H:%M}"}


def typed(post: QueryDict) -> dict[str, Value]:
    """Read the fields that the browser sent."""
    return {name: as_typed(post.get(name, "")) for name in LABELS}


def new_text(given: Fields, before: Fields) -> str | None:
    """Return the typed text, or None if the field shows the stored text unchanged."""
    return str(given["text"]) if given["text"] != before["text"] else None


def new_instant(given: Fields, before: Fields, clinic: Clinic) -> dt.datetime | None:
    """Return the typed instant, or None if date and time are unchanged: the stored instant then keeps its seconds.

    Raises Refused for a text that is no date and time.
    """
    if (given["date"], given["time"]) == (before["date"], before["time"]):
        return None
    try:
        return resolve(parse_wall(f"{given['date']}T{given['time']}"), clinic.timezone).at
    except ValueError:
        raise Refused(Problem("send_at", "Choose a date and a time.")) from None
