"""Reasons why a Message failed or was cancelled: a closed set of codes, each with its words for people.

If the cause lies with the patient, the words come from the table in patients/reach.py.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from companion.patients.reach import BY_CODE


class Reason(StrEnum):
    """The code of a reason, as the API gives it (docs/api.md)."""

    NO_TELEGRAM_ID = "no_telegram_id"
    OPTED_OUT = "opted_out"
    NO_CONSENT = "no_consent"
    BLOCKED = "blocked"
    DEACTIVATED = "deactivated"
    CHAT_NOT_FOUND = "chat_not_found"
    REJECTED = "rejected"
    OUTCOME_UNKNOWN = "outcome_unknown"
    SUPERSEDED = "superseded"
    BOT_UNAUTHORIZED = "bot_unauthorized"
    GAVE_UP = "gave_up"
    TOO_LATE = "too_late"
    BY_PERSON = "by_person"
    SCHEDULE_ENDED = "schedule_ended"
    PATIENT_LEFT = "patient_left"

    @property
    def short(self) -> str:
        """Two or three words for lists."""
        return _WORDS[self].short

    @property
    def sentence(self) -> str:
        """The cause and what to do, for people."""
        return _WORDS[self].sentence

    @property
    def retry(self) -> bool:
        """Return whether the cause may be over, so that many such messages may be retried in one act.

        Messages with other reasons must be looked at by a person, or must not be sent again.
        """
        return _WORDS[self].retry

    @property
    def of_patient(self) -> bool:
        """Return whether the cause lies with the patient."""
        return self in BY_CODE


@dataclass(frozen=True, slots=True)
class _Words:
    short: str
    sentence: str
    retry: bool = False


_WORDS: Final = {
    Reason.REJECTED: _Words(
        "Text refused", "Telegram refused the text. Edit it, then retry; the attempt below shows Telegram's answer."
    ),
    Reason.OUTCOME_UNKNOWN: _Words(
        "Outcome unknown",
        "The connection broke while this was being sent: it may or may not have arrived. "
        "Ask the patient before you retry.",
    ),
    Reason.SUPERSEDED: _Words(
        "Superseded", "A newer message of the same series was due as well, so only the newer message was sent."
    ),
    Reason.BOT_UNAUTHORIZED: _Words(
        "Bot refused",
        "Telegram refused the bot's token until it was too late. Enter the bot's token again in Settings.",
        retry=True,
    ),
    Reason.GAVE_UP: _Words(
        "Gave up",
        "Sending was tried several times, but Telegram could not be reached in time. Retry if it is still useful.",
        retry=True,
    ),
    Reason.TOO_LATE: _Words(
        "Too late",
        "The message could not be sent in time and was not sent late. Retry if it is still useful.",
        retry=True,
    ),
    Reason.BY_PERSON: _Words("By a person", "Someone decided not to send this."),
    Reason.SCHEDULE_ENDED: _Words("Schedule ended", "Its schedule was cancelled or ended before this was due."),
    Reason.PATIENT_LEFT: _Words("Patient left", "The patient has left the clinic's directory."),
    **{
        Reason(code): _Words(obstacle.short, obstacle.past_sentence, obstacle.retry)
        for code, obstacle in BY_CODE.items()
        if code in set(Reason)
    },
}


BEFORE_A_RESTORE: Final = "It may have been sent before the restore. Ask the patient before you retry."
NO_TRACE: Final = "Telegram shows no trace of it"
_NO_TRACE: Final = (
    f"The connection broke while this was being sent. {NO_TRACE}, so it most likely did not arrive. If you retry, it "
    "may still arrive twice: a request can hang on its way, or the patient may have deleted the message."
)


def sentence(code: str, *, held_by_restore: bool = False, no_trace: bool = False) -> str:
    """Say what happened and what to do. Raises ValueError for an unknown code.

    `held_by_restore`: the outcome is unknown because the database was restored, not because a connection broke.
    `no_trace`: Telegram was asked, and has no such message.
    """
    if code == Reason.OUTCOME_UNKNOWN and held_by_restore:
        return BEFORE_A_RESTORE
    if code == Reason.OUTCOME_UNKNOWN and no_trace:
        return _NO_TRACE
    return Reason(code).sentence
