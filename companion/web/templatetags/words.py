"""Times, counts and statuses in the words of the pages. It formats; it decides nothing."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache

from django import template
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from companion.listener.media import why_not
from companion.listener.models import Media
from companion.panel.judge import age
from companion.panel.runbook import anchor, name_of
from companion.patients.models import Consent
from companion.schedules.models import Message, State, Status
from companion.times.walls import Moved, local, wall_name, zone_names

register = template.Library()

CAP = 1000
MOVED = {
    Moved.DST_GAP: "later: the clocks skip this time",
    Moved.DST_FOLD: "the first of two: the clocks go back",
    Moved.QUIET_HOURS: "after quiet hours",
    Moved.MONTH_END: "last day of a shorter month",
    Moved.WORKING_DAY: "moved to a working day",
}
PARTS = {
    "recipients": "who gets it",
    "text": "the text",
    "when": "the date and time",
    "repeat": "how it repeats",
    "ends": "its end",
    "zone": "the time zone",
    "avoid": "the days off",
    "answers": "the answers",
    "more": "how late is still good",
    "from": "which ones change",
}
SOURCES = {
    "direct": "the dispatcher itself",
    "mcp": "the Control Panel's status",
    "database": "what the database shows",
}
FACTS = {
    "engine": "Kind",
    "version": "Version",
    "latency_ms": "Latency",
    "size_bytes": "Size",
    "migrations": "Migrations",
    "bot": "Bot",
    "sandbox": "Practice bot",
    "closed_why": "Sends nothing",
    "accepted": "Token accepted",
    "asked_at": "Asked",
    "updates_by": "Updates by",
    "other_reader": "Reads its messages, too",
    "other_reader_since": "Since",
    "pending_updates": "Updates waiting",
    "last_answer_at": "Last answer",
    "last_error": "Last error",
    "last_error_at": "Last error at",
    "disk_free_bytes": "Disk free",
    "disk_total_bytes": "Disk in all",
    "clock_against_telegram_seconds": "Clock against Telegram",
    "backup_age_seconds": "Newest backup",
}
"""The Control Panel's small facts, in the words of its page."""
_FILE_DEEDS = {
    "photo": "Show the photo",
    "sticker": "Show the sticker",
    "voice": "Play the voice note",
    "audio": "Play the recording",
    "video": "Play the video",
    "video_note": "Play the video note",
}
STATES = {State.ACTIVE: "green", State.PAUSED: "orange", State.ENDED: "secondary", State.CANCELLED: "secondary"}
TONES = {Status.PENDING: "blue", Status.SENT: "green", Status.FAILED: "red", Status.CANCELLED: "secondary"}


@register.filter
def when(at: dt.datetime, now: dt.datetime) -> str:
    """ "Today 09:00", "Thu 3 Dec 09:00", with the year where it isn't this one; on the clinic's clocks."""
    return f"{day(at, now)} {timezone.localtime(at):%H:%M}"


@register.filter
def day(at: dt.datetime, now: dt.datetime) -> str:
    """ "Today", "Tomorrow", "Yesterday", "Thu 3 Dec"; on the clinic's clocks."""
    there, today = timezone.localtime(at).date(), timezone.localtime(now).date()
    near = {0: "Today", 1: "Tomorrow", -1: "Yesterday"}.get((there - today).days)
    if near:
        return near
    shown = f"{there:%a} {there.day} {there:%b}"
    return shown if there.year == today.year else f"{shown} {there.year}"


@register.filter
def day_name(there: dt.date, now: dt.datetime) -> str:
    """ "today", "tomorrow", "on Thu 3 Dec", inside a sentence."""
    noon = timezone.make_aware(dt.datetime.combine(there, dt.time(12)))
    named = day(noon, now)
    return named.lower() if named in ("Today", "Tomorrow", "Yesterday") else f"on {named}"


@register.filter
def saved(at: dt.datetime, now: dt.datetime) -> str:
    """ "10:42" on the same day, else "Thu 3 Dec 10:42"; inside a sentence, on the clinic's clocks."""
    named = when(at, now)
    return named.removeprefix("Today ").replace("Yesterday", "yesterday")


@register.filter
def exactly(at: dt.datetime) -> str:
    """ "Thu 3 Dec 2026, 09:00:04"; on the clinic's clocks."""
    there = timezone.localtime(at)
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M:%S}"


@register.filter
def theirs(message: Message) -> str:
    """The patient's own time, where their clocks show another one than the clinic's; else nothing."""
    patient = message.patient
    if patient is None:
        return ""
    there, here = local(message.due_at, patient.timezone), timezone.localtime(message.due_at)
    if there.utcoffset() == here.utcoffset():
        return ""
    days = {0: "", 1: "next day ", -1: "day before "}[(there.date() - here.date()).days]
    return f"{days}{there:%H:%M} {town(patient.timezone)}"


@register.filter
def town(zone: str) -> str:
    """ "Lisbon" of "Europe/Lisbon"."""
    return zone.rpartition("/")[2].replace("_", " ")


@register.filter
def towns(zones: Sequence[str]) -> str:
    """ "Lisbon", "Lisbon and Cairo", or "Lisbon, Cairo and 5 more"."""
    named = list(dict.fromkeys(town(zone) for zone in zones))
    if len(named) <= 3:
        return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
    return f"{', '.join(named[:2])} and {len(named) - 2} more"


@register.simple_tag
@cache
def zone_options() -> SafeString:
    """All time zones to choose from; the same six hundred on every form."""
    return format_html_join("", '<option value="{}">', ((zone,) for zone in zone_names()))


@register.filter
def capped(count: int, cap: int = CAP) -> str:
    """A count that is counted up to `cap` only: "1,000+" from there."""
    return f"{cap:,}+" if count >= cap else f"{count:,}"


@register.filter
def tone(status: str) -> str:
    """The colour that goes with a Message's status; the word always stands beside it."""
    return TONES[Status(status)]


@register.filter
def ago(at: dt.datetime, now: dt.datetime) -> str:
    """ "just now", "12 s ago", "5 min ago", "3 h ago", "2 days ago"."""
    seconds = int((now - at).total_seconds())
    if seconds < 1:
        return "just now"
    for limit, unit, word in ((90, 1, "s"), (5400, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit} {word} ago"
    return f"{seconds // 86_400} days ago"


@register.filter
def decapitalised(words: str) -> str:
    """ "no Telegram ID", of "No Telegram ID": inside a sentence."""
    return words[:1].lower() + words[1:]


@register.filter
def plural(count: int, word: str) -> str:
    """ "1 message", "3 messages"."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


@register.filter
def wall(there: dt.datetime) -> str:
    """ "Thu 3 Dec 2026, 09:00", of an aware time as its own zone's clocks show it."""
    # Not by the date filter: that would move it to the clinic's zone.
    return f"{there:%a} {there.day} {there:%b %Y, %H:%M}"


@register.filter
def occurrence_name(there: dt.datetime) -> str:
    """The name of the Occurrence at this wall time."""
    return wall_name(there)


@register.filter
def moved_words(moved: str) -> str:
    """Why a preview's time isn't the rule's own."""
    return MOVED[Moved(moved)]


@register.filter
def part_name(part: str) -> str:
    """A part of the planning form, inside a sentence."""
    return PARTS[part]


@register.filter
def state_tone(state: str) -> str:
    """The colour that goes with a Schedule's state; the word always stands beside it."""
    return STATES[State(state)]


@register.filter
def seconds(length: float | None) -> str:
    """ "40 ms", "1.2 s", "5 min"; a dash for none."""
    if length is None:
        return "–"
    if length < 1:
        return f"{length * 1000:.0f} ms"
    return f"{length:.1f} s" if length < 90 else f"{length / 60:.0f} min"


@register.filter
def source_words(layer: str) -> str:
    """Which layer of the health chain this is, inside a sentence."""
    return SOURCES[layer]


@register.filter
def layer_tone(status: str) -> str:
    """The colour of a layer's own answer."""
    return "green" if status == "ok" else "red" if status in ("down", "failed") else "orange"


@register.filter
def facts(values: Mapping[str, object]) -> list[tuple[str, str]]:
    """The Control Panel's small facts, each under its name; what isn't known is left out."""
    return [(FACTS[key], _value(key, value)) for key, value in values.items() if key in FACTS and value is not None]


def _value(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if key.endswith("_bytes"):
        return filesizeformat(str(value))
    if key.endswith("_at"):
        return exactly(dt.datetime.fromisoformat(str(value)))
    if key == "backup_age_seconds":
        return f"{age(dt.timedelta(seconds=float(str(value))))} old"
    if key.endswith("_seconds"):
        return f"{float(str(value)):+.1f} s"
    return f"{value} ms" if key.endswith("_ms") else str(value)


@register.filter
def listed(value: object) -> list[object]:
    """A list of it, or of nothing where there is none."""
    return [value] if value else []


@register.filter
def runbook(cause: str) -> str:
    """The address of the runbook's page on this alert or failure code."""
    return f"{reverse('runbook')}#{anchor(name_of(cause))}"


@register.filter
def code_marks(words: str) -> SafeString:
    """What stands between `backticks` as code."""
    pieces = words.split("`")
    return format_html_join(
        "",
        "{}",
        ((format_html("<code>{}</code>", piece) if place % 2 else piece,) for place, piece in enumerate(pieces)),
    )


@register.filter
def file_wont(file: Media) -> str:
    """Why a patient's file can't be opened, as far as that is known."""
    return why_not(file)


@register.filter
def file_deed(file: Media) -> str:
    """What opening a patient's file does: "Show the photo (1.2 MB)"."""
    deed = _FILE_DEEDS.get(file.kind) or f"Open the {file.kind.replace('_', ' ')}"
    return f"{deed} ({filesizeformat(file.size)})" if file.size else deed


@register.filter
def consent_tone(consent: str) -> str:
    """The colour of a line of a consent's history."""
    return {Consent.GIVEN: "green", Consent.WITHDRAWN: "red"}.get(Consent(consent), "secondary")
