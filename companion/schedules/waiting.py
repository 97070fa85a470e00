"""The words for a pending Message that is due but waits: until when, and why. Reads only.

It explains the wait to people. Whether a Message may go is decided in delivery/verdict.py.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from companion.patients.models import Consent
from companion.schedules.models import Attempt, AttemptOutcome, Lane, Message, Quiet, State, Status
from companion.times.quiet import QuietHours, quiet_until

_NO_ANSWER: Final = "Telegram doesn't answer"
_AFTER: Final = {
    AttemptOutcome.TOO_MANY: "Telegram asked to wait",
    AttemptOutcome.UNAUTHORIZED: "Telegram refuses the bot's token",
    AttemptOutcome.UNKNOWN: "no answer came to the first try",
    AttemptOutcome.NEVER_LEFT: "it missed its turn",
}
"""The reason for another try, by the outcome of the last Attempt."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The wait of a Message that is due."""

    until: dt.datetime | None
    """The earliest instant at which it is tried; None if that depends on a person."""
    why: str
    """The reason; follows a colon, so it begins with a small letter."""
    again: bool
    """True if the Message was tried before."""


def waits_of(messages: Sequence[Message]) -> dict[uuid.UUID, Waiting]:
    """Return the waits of the Messages that may not be sent at their due instant. Makes at most one query."""
    waiting = [message for message in messages if _waits(message)]
    last = _last_attempts([message for message in waiting if message.tries])
    return {message.id: _waiting(message, last.get(message.id)) for message in waiting}


def _waits(message: Message) -> bool:
    # A Message that isn't saved stands for an Occurrence that is only planned.
    if message._state.adding or message.status != Status.PENDING or message.open_attempt_id is not None:
        return False
    return message.ready_at > message.due_at


def _last_attempts(tried: Sequence[Message]) -> dict[uuid.UUID, Attempt]:
    if not tried:
        return {}
    clinics = {message.clinic_id for message in tried}
    attempts = Attempt.objects.filter(clinic_id__in=clinics, message_id__in=[message.id for message in tried])
    return {attempt.message_id: attempt for attempt in attempts.order_by("number")}


def _waiting(message: Message, last: Attempt | None) -> Waiting:
    if by_person := _until_a_person_acts(message):
        return Waiting(None, by_person, again=False)
    if _ends_with_quiet_hours(message):
        return Waiting(message.ready_at, "quiet hours", again=False)
    if last:
        return Waiting(message.ready_at, _after(last), again=True)
    return Waiting(message.ready_at, "its turn", again=False)


def _until_a_person_acts(message: Message) -> str:
    """The reason why the Message waits for a person, however long; empty if there is none."""
    if message.clinic.sending_paused_at is not None:
        return "sending is paused"
    if message.schedule and message.schedule.state == State.PAUSED and not message.by_hand:
        return "the series is paused"
    if _waits_for_consent(message):
        return "the patient hasn't agreed to messages yet"
    return ""


def _waits_for_consent(message: Message) -> bool:
    """Return whether the patient was asked for consent and hasn't answered. An answer to the patient doesn't wait."""
    patient = message.patient
    if patient is None or patient.consent_asked_at is None or message.lane == Lane.ANSWER:
        return False
    return patient.consent == Consent.UNKNOWN


def _ends_with_quiet_hours(message: Message) -> bool:
    """Return whether the Message waits for the end of quiet hours on the patient's clock."""
    if message.quiet_hours != Quiet.WAIT or message.patient is None:
        return False
    clinic = message.clinic
    quiet = QuietHours(clinic.quiet_from, clinic.quiet_until)
    # Judge the second before the wait ends: a message that an outage delayed may have been due before the quiet hours.
    before = message.ready_at - dt.timedelta(seconds=1)
    return quiet_until(before, message.patient.timezone or clinic.timezone, quiet) is not None


def _after(last: Attempt) -> str:
    if last.outcome == AttemptOutcome.TRANSIENT and last.error_code:
        return "Telegram is out of order"
    return _AFTER.get(AttemptOutcome(last.outcome), _NO_ANSWER)
