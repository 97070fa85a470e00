"""Warnings before and after planning, each with a code and a sentence. A warning never makes an act fail."""

import datetime as dt
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from companion.clinics.models import Bot, Clinic, Closed
from companion.patients import reach
from companion.patients.models import Patient
from companion.patients.pausing import paused_words
from companion.planning.day_changes import DayChanges
from companion.planning.drafts import Draft
from companion.planning.occurrences import Coming
from companion.planning.timing import Timing
from companion.schedules.models import Lane, Quiet
from companion.schedules.reasons import Reason
from companion.schedules.text import PLACEHOLDERS, literal_braces
from companion.times import recurrence, walls
from companion.times.quiet import QuietHours, quiet_until

NAMED: Final = 20
"""The most patients that are named in warnings with one code; a further sentence counts the others."""
_RATE_USED: Final = 29 / 30
"""The share of a bot's rate that is used (dispatch/pace.py)."""
_WORTH_SAYING: Final = 60.0
_SENDING_PAUSED: Final = (
    "Sending is paused: no message is sent until an admin resumes sending on the Control Panel. A message that waits "
    "too long is not sent at all."
)
_BOT_REFUSED: Final = (
    "Telegram refuses the bot's token: no message is sent until an admin enters the token again in Settings. A message "
    "that waits too long is not sent at all."
)


@dataclass(frozen=True, slots=True)
class Warning:
    """A warning; `patient` if it is about a single patient."""

    patient: uuid.UUID | None
    code: str
    message: str


def of_people(clinic: Clinic, people: QuerySet[Patient], *, now: dt.datetime) -> tuple[Warning, ...]:
    """Warn about recipients who can't be reached at present, with the reason, and about recipients who are paused."""
    found: list[Warning] = []
    for obstacle in reach.known_to(clinic):
        these = people.filter(obstacle.query)
        found += _each(
            these,
            obstacle.code.value,
            each=obstacle.sentence_about,
            more=obstacle.sentence_about_more,
        )
    found += _each(people.filter(paused_until__gt=now.date()), "paused", each=_paused, more=_paused_more)
    return tuple(found)


def of_arrival(clinic: Clinic, patient: Patient | None) -> list[Warning]:
    """Warn that a waiting message may not arrive: sending is paused, the bot is refused, or the patient is unreachable.

    `patient` None: a stranger's chat, for which we store no reason.
    """
    found = []
    if clinic.sending_paused_at is not None:
        found.append(Warning(None, "sending_paused", _SENDING_PAUSED))
    if Bot.objects.filter(clinic=clinic, closed_why=Closed.UNAUTHORIZED).exists():
        found.append(Warning(None, Reason.BOT_UNAUTHORIZED, _BOT_REFUSED))
    if patient and (obstacle := reach.obstacle_to_answers(patient)):
        found.append(Warning(patient.id, obstacle.code, f"Probably won't arrive: {obstacle.sentence}"))
    return found


def of_text(text: str) -> tuple[Warning, ...]:
    """Warn about placeholders with two braces, which patients would read as they are typed."""
    return tuple(
        Warning(
            None,
            "literal_braces",
            f"{{{{{name}}}}} has two braces: patients read it as it stands. "
            f"Write {{{name}}}, with a single brace, for the {PLACEHOLDERS[name]}.",
        )
        for name in literal_braces(text)
    )


def of_times(
    clinic: Clinic, draft: Draft, first: Sequence[Coming], zones: list[str], *, now: dt.datetime
) -> list[Warning]:
    """Warn about the first instants: a time that has passed already, quiet hours that are ignored."""
    found = []
    passed = sorted(set(zones) - {due.timezone for due in first})
    if passed:
        found.append(Warning(None, "passed", f"In {_listed(passed)} this time has already passed."))
    first_zones = {due.timezone for due in first} if draft.timing.recurrence else set()
    today = sorted(zone for zone in first_zones if _passed_today(draft.timing, zone, now))
    if today:
        sentence = f"In {_listed(today)} today's time has passed: there, the series begins with the next message."
        found.append(Warning(None, "passed", sentence))
    quiet = QuietHours(clinic.quiet_from, clinic.quiet_until)
    if draft.timing.quiet_hours == Quiet.IGNORE:
        loud = sorted({due.timezone for due in first if quiet_until(due.due_at, due.timezone, quiet)})
        if loud:
            hours = f"{clinic.quiet_from:%H:%M} to {clinic.quiet_until:%H:%M}"
            sentence = f"It goes out in quiet hours ({hours}) in {_listed(loud)}."
            found.append(Warning(None, "in_quiet_hours", sentence))
    return found


def of_size(draft: Draft, recipients: int) -> list[Warning]:
    """Say how long a broadcast takes at the bot's rate, and warn if this is longer than messages may be late."""
    seconds = recipients / (settings.COMPANION.rate_per_second * _RATE_USED)
    takes = f"Sending to {recipients:,} patients takes about {_duration(seconds)}"
    if seconds >= draft.late_after.total_seconds():
        return [Warning(None, "takes_too_long", f"{takes}, longer than messages may be late: the rest would fail.")]
    if draft.lane == Lane.BROADCAST and seconds >= _WORTH_SAYING:
        return [Warning(None, "takes", f"{takes}. Reminders go before it.")]
    return []


def of_days(days: DayChanges) -> tuple[Warning, ...]:
    """Warn about patients who get no message or one more today, or no message on a later day, because of a change."""
    none = [
        Warning(patient, "none_today", "This patient now gets no message today.") for patient in sorted(days.none_today)
    ]
    again = [
        Warning(patient, "again_today", "This patient has had a message today and now gets another.")
        for patient in sorted(days.again_today)
    ]
    gaps = [
        Warning(
            patient,
            "none_on",
            f"This patient gets none on {on:%A} {on.day} {on:%B}: that day's message already went out.",
        )
        for patient, on in sorted(days.none_on.items())
    ]
    return (*none, *again, *gaps)


def _duration(seconds: float) -> str:
    minutes = max(round(seconds / 60), 1)
    if minutes < 60:
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _passed_today(timing: Timing, zone: str, now: dt.datetime) -> bool:
    today = walls.local(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    last_night = today - dt.timedelta(microseconds=1)
    of_today = next(recurrence.occurrences(timing.starts_at, timing.recurrence, after=last_night), None)
    return of_today is not None and of_today.date() == today.date() and walls.resolve(of_today, zone).at <= now


def _each(
    people: QuerySet[Patient], code: str, *, each: Callable[[Patient], str], more: Callable[[int], str]
) -> list[Warning]:
    """Make a warning about each of the first people, and a warning with the number of the others."""
    named = list(people.order_by("name", "id")[: NAMED + 1])
    found = [Warning(patient.id, code, each(patient)) for patient in named[:NAMED]]
    if len(named) > NAMED:
        found.append(Warning(None, code, more(people.order_by().count() - NAMED)))
    return found


def _paused(patient: Patient) -> str:
    return f"{patient.name} is {paused_words(patient)}: nothing goes out before that day."


def _paused_more(count: int) -> str:
    return f"{count:,} more {'is' if count == 1 else 'are'} paused: no message goes out before the pause is over."


def _listed(zones: list[str]) -> str:
    return ", ".join(zones) if len(zones) <= 5 else f"{', '.join(zones[:5])} and {len(zones) - 5} more zones"
