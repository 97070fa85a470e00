"""Instants, days and lengths of time in words. The time zone is the clinic's, unless a docstring names another."""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from typing import Final

from django import template
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from companion.schedules.models import Message
from companion.schedules.waiting import Waiting
from companion.times import clocks
from companion.times.clocks import town
from companion.times.walls import wall_name, zone_names
from companion.web.templatetags.counts import decapitalised

register = template.Library()
register.filter(town)

_NEAR: Final = {0: "Today", 1: "Tomorrow", -1: "Yesterday"}


@register.filter
def when(at: dt.datetime, now: dt.datetime) -> str:
    """Write an instant: "Today 09:00", "Thu 3 Dec 09:00"; with the year if it is another year."""
    return f"{day(at, now)} {timezone.localtime(at):%H:%M}"


@register.filter
def when_inside(at: dt.datetime, now: dt.datetime) -> str:
    """Write an instant for use inside a sentence: "today 09:00", "Thu 3 Dec 09:00"."""
    return _inside(when(at, now))


@register.filter
def day(at: dt.datetime, now: dt.datetime) -> str:
    """Write a day: "Today", "Tomorrow", "Yesterday", "Thu 3 Dec"."""
    there, today = timezone.localtime(at).date(), timezone.localtime(now).date()
    near = _NEAR.get((there - today).days)
    if near:
        return near
    shown = f"{there:%a} {there.day} {there:%b}"
    return shown if there.year == today.year else f"{shown} {there.year}"


@register.filter
def day_name(there: dt.date, now: dt.datetime) -> str:
    """Write a day for use inside a sentence: "today", "tomorrow", "on Thu 3 Dec"."""
    noon = timezone.make_aware(dt.datetime.combine(there, dt.time(12)))
    named = day(noon, now)
    return _inside(named) if named in _NEAR.values() else f"on {named}"


@register.filter
def waits(waiting: Waiting, now: dt.datetime) -> str:
    """Write a message's wait: "Trying again 14:56: Telegram doesn't answer", "Waits until 08:00: quiet hours"."""
    if waiting.until is None:
        return f"Waits: {waiting.why}"
    begin = "Trying again" if waiting.again else "Waits until"
    return f"{begin} {saved(waiting.until, now)}: {waiting.why}"


@register.filter
def saved(at: dt.datetime, now: dt.datetime) -> str:
    """Write an instant for use inside a sentence: "10:42" on the same day, else "Thu 3 Dec 10:42"."""
    return _inside(when(at, now).removeprefix("Today "))


def _inside(words: str) -> str:
    """Begin the name of a near day with a small letter; a weekday keeps its capital inside a sentence, too."""
    return decapitalised(words) if words.split()[0] in _NEAR.values() else words


@register.filter
def exactly(at: dt.datetime) -> str:
    """Write an instant to the second: "Thu 3 Dec 2026, 09:00:04"."""
    there = timezone.localtime(at)
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M:%S}"


@register.filter
def patients_time(message: Message) -> str:
    """Write the time in the patient's zone if it differs from the clinic's time; otherwise return an empty text."""
    patient = message.patient
    return clocks.time_there(timezone.localtime(message.due_at), patient.timezone) if patient else ""


@register.filter
def towns(zones: Sequence[str]) -> str:
    """Name several zones by their towns: "Lisbon and Cairo", or "Lisbon, Cairo and 5 more"."""
    named = list(dict.fromkeys(town(zone) for zone in zones))
    if len(named) <= 3:
        return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    return f"{', '.join(named[:2])} and {len(named) - 2} more"


@register.simple_tag
@cache
def zone_options() -> SafeString:
    """List all time zones as options. They are the same in every form, about six hundred, so they are built once."""
    return format_html_join("", '<option value="{}">', ((zone,) for zone in zone_names()))


@register.filter
def ago(at: dt.datetime, now: dt.datetime) -> str:
    """Write how long ago an instant was: "just now", "12 s ago", "5 min ago", "3 h ago", "2 days ago"."""
    seconds = int((now - at).total_seconds())
    if seconds < 1:
        return "just now"
    for limit, unit, word in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit} {word} ago"
    return f"{seconds // 86_400} days ago"


@register.filter
def wall(there: dt.datetime) -> str:
    """Write a local time as it is, in its zone: "Thu 3 Dec 2026, 09:00"."""
    # Django's date filter would convert the time to the clinic's zone.
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M}"


@register.filter
def occurrence_name(there: dt.datetime) -> str:
    """Return the name of the Occurrence at this wall time."""
    return wall_name(there)


@register.filter
def seconds(length: float | None) -> str:
    """Write a number of seconds: "40 ms", "1.2 s", "5 min"; a dash for None."""
    if length is None:
        return "–"
    if length < 1:
        return f"{length * 1000:.0f} ms"
    return f"{length:.1f} s" if length < 90 else f"{length / 60:.0f} min"
