"""A Message's history as a timeline in words: its attempts and people's acts. Nothing is read or changed here."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from companion.clinics.models import AuditEntry
from companion.listener.shown import Author
from companion.schedules import queries
from companion.schedules.models import Attempt, AttemptOutcome, Message, Status
from companion.schedules.reasons import Reason
from companion.schedules.wording import why_of

Tone = Literal["green", "red", "orange", "blue", "secondary"]
_ACTS: dict[str, str] = {
    "message planned": "planned it",
    "message cancelled": "decided: don't send",
    "message sent now": "chose to send it now",
    "message retried": "asked to try it again",
    "message edited": "edited it",
}
_TONES: dict[str, Tone] = {
    AttemptOutcome.OPEN: "blue",
    AttemptOutcome.SENT: "green",
    AttemptOutcome.PERMANENT: "red",
    AttemptOutcome.TOO_MANY: "orange",
    AttemptOutcome.TRANSIENT: "orange",
    AttemptOutcome.UNAUTHORIZED: "red",
    AttemptOutcome.UNKNOWN: "orange",
    AttemptOutcome.NEVER_LEFT: "secondary",
}
_WORDS: dict[str, str] = {
    AttemptOutcome.OPEN: "On its way to Telegram.",
    AttemptOutcome.SENT: "Sent to Telegram. Telegram doesn't say whether it was read.",
    AttemptOutcome.PERMANENT: "Telegram refused it.",
    AttemptOutcome.TOO_MANY: "Telegram asked to wait. This doesn't count as an attempt.",
    AttemptOutcome.TRANSIENT: "Not sent: Telegram didn't answer. Sending is tried again automatically.",
    AttemptOutcome.UNAUTHORIZED: "Telegram refused the bot's token.",
    AttemptOutcome.UNKNOWN: "The connection broke: the message may or may not have arrived.",
    AttemptOutcome.NEVER_LEFT: "Not sent: the time for this attempt had passed. Sending is tried again.",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """An event of the timeline, past or future."""

    at: dt.datetime
    title: str
    detail: str
    tone: Tone


def story(
    message: Message, attempts: Sequence[Attempt], entries: Sequence[AuditEntry], *, now: dt.datetime
) -> list[Moment]:
    """Tell the history from the planning to the end, or to the next step."""
    past = [
        *_planned(message, entries),
        *map(_of_entry, entries),
        *map(_of_attempt, attempts),
        *_ended(message, attempts),
    ]
    return [*sorted(past, key=lambda moment: moment.at), *_ahead(message, now)]


def _planned(message: Message, entries: Sequence[AuditEntry]) -> list[Moment]:
    if any(entry.action == "message planned" for entry in entries):
        return []
    who = Author(message.created_by_kind, message.created_by_name).words
    return [Moment(message.created_at, f"{who} planned it" if who else "Planned by its schedule", "", "secondary")]


def _of_entry(entry: AuditEntry) -> Moment:
    who = Author(entry.actor_kind, entry.actor_name).words
    return Moment(entry.at, f"{who} {_ACTS.get(entry.action, entry.action)}", "", "secondary")


def _of_attempt(attempt: Attempt) -> Moment:
    note = attempt.description or attempt.note
    detail = f"{_WORDS[attempt.outcome]} ({note})" if note else _WORDS[attempt.outcome]
    return Moment(attempt.ended_at or attempt.began_at, f"Attempt {attempt.number}", detail, _TONES[attempt.outcome])


def _ended(message: Message, attempts: Sequence[Attempt]) -> list[Moment]:
    """Describe the end, unless an attempt or a person's act describes it already."""
    if message.status == Status.SENT or message.reason == Reason.BY_PERSON or message.ended_at is None:
        return []
    title = "Failed" if message.status == Status.FAILED else "Cancelled"
    tone: Tone = "red" if message.status == Status.FAILED else "secondary"
    return [Moment(message.ended_at, title, why_of(message), tone)]


def _ahead(message: Message, now: dt.datetime) -> list[Moment]:
    if message.status != Status.PENDING or queries.on_its_way(message):
        return []
    if message.tries and message.ready_at > now:
        return [Moment(message.ready_at, "Next try", "", "blue")]
    return [Moment(message.due_at, "Due", "", "blue")]
