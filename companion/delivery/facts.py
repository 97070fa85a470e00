"""The facts about a Message: everything on which its verdict and its text depend.

store.py reads the facts, and verdict.py judges them.
"""

import datetime as dt
import uuid

import msgspec

from companion.schedules.models import Follow
from companion.telegram.discreet import Discreet
from companion.times.workdays import Avoid

Flag = bool | int
"""True or false as JSON; SQLite writes 1 or 0."""
Keyboard = list[list[dict[str, str]]]


class Facts(Discreet, frozen=True, gc=False, forbid_unknown_fields=True):
    """A row of the statement `facts`, by the names of its columns."""

    hidden = frozenset({"own_text", "buttons", "patient_name"})

    message: uuid.UUID
    schedule: uuid.UUID | None
    """The Schedule whose Occurrence it is; None if it repeats another Message."""
    patient: uuid.UUID | None
    lane: int
    due_at: dt.datetime
    ready_at: dt.datetime
    late_at: dt.datetime
    quiet_hours: str
    if_unknown: str
    tries: int
    resends: int
    by_hand: Flag
    answers_stop_or_start: Flag
    begun_by: uuid.UUID | None
    """The Attempt that has put the Message on the wire; None if it has not begun."""
    follow_kind: str
    telegram_message_id: int | None
    own_text: str | None
    """The text of this Message alone, sealed, hexadecimal; None if its version has the text."""
    version: uuid.UUID | None
    buttons: Keyboard | None
    telegram_id: int | None
    clinic_name: str
    quiet_from: dt.time
    quiet_until: dt.time
    consent_required: Flag
    sending_paused: Flag
    timezone: str
    has_patient: Flag
    patient_name: str
    language: str
    caregiver: Flag
    consent: str
    consent_asked: Flag
    patient_left: Flag
    paused_until: dt.date | None
    """The day on which the patient's pause ends."""
    in_trouble: Flag
    """True if the patient's chat is marked as out of reach. A sent Message clears the mark."""
    schedule_state: str | None
    answer_microseconds: int | None
    """The Schedule's `answer_within`."""
    avoid_weekends: Flag
    avoid_holidays: Flag
    avoid_closed_days: Flag
    when_avoided: str
    occurrence: str
    marked: Flag
    newer_is_due: Flag
    chat_last_at: dt.datetime | None
    """The instant at which the last Attempt to this chat began."""
    chat_opted_out: Flag
    """True if the chat has opted out, no matter for which patient the Message is.

    If the Message is addressed to the chat itself, it is also True if all patients of the chat have opted out.
    """
    bot_refused: Flag

    @property
    def edits(self) -> int | None:
        """Return the message_id of the sent message whose buttons are replaced; None if a new message is sent."""
        return self.telegram_message_id if self.follow_kind == Follow.SHOWN else None

    @property
    def answer_within(self) -> dt.timedelta | None:
        """Return how long the clinic waits for an answer; None if it expects no answer."""
        # A reminder repeats a question, and has no time for an answer itself.
        if self.answer_microseconds is None or self.follow_kind in (Follow.SHOWN, Follow.REMINDER):
            return None
        return dt.timedelta(microseconds=self.answer_microseconds)

    @property
    def earlier_tries(self) -> int:
        """Return how many Attempts there were before the Attempt to which these facts belong."""
        return self.tries - (1 if self.begun_by else 0)

    @property
    def day(self) -> dt.date | None:
        """Return the day in the name of its Occurrence, before anything moved it; None if it has no Occurrence."""
        return dt.date.fromisoformat(self.occurrence[:10]) if self.occurrence else None

    @property
    def avoid(self) -> Avoid:
        """Return the days that its Schedule avoids."""
        return Avoid(bool(self.avoid_weekends), bool(self.avoid_holidays), bool(self.avoid_closed_days))


class Lapsed(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A Message with an Attempt whose lease ran out, and whether it is resent if its outcome is unknown."""

    message: uuid.UUID
    attempt: uuid.UUID
    if_unknown: str
    resends: int
    late_at: dt.datetime
    follow_kind: str
