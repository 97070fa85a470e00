"""Why a Message failed or was cancelled: the closed set of codes, and the one sentence for people that each has."""

from typing import Final

from django.db import models


class Reason(models.TextChoices):
    """A reason code with its short form for lists. DESIGN.md, A Message's Life."""

    NO_TELEGRAM_ID = "no_telegram_id", "No Telegram ID"
    OPTED_OUT = "opted_out", "Opted out"
    NO_CONSENT = "no_consent", "No consent"
    BLOCKED = "blocked", "Bot blocked"
    DEACTIVATED = "deactivated", "Account deleted"
    CHAT_NOT_FOUND = "chat_not_found", "Chat not found"
    REJECTED = "rejected", "Text refused"
    OUTCOME_UNKNOWN = "outcome_unknown", "Outcome unknown"
    SUPERSEDED = "superseded", "Superseded"
    BOT_UNAUTHORIZED = "bot_unauthorized", "Bot refused"
    GAVE_UP = "gave_up", "Gave up"
    TOO_LATE = "too_late", "Too late"
    BY_PERSON = "by_person", "By a person"
    SCHEDULE_ENDED = "schedule_ended", "Schedule ended"
    PATIENT_LEFT = "patient_left", "Patient left"


SENTENCES: dict[Reason, str] = {
    Reason.NO_TELEGRAM_ID: (
        "The patient had no Telegram ID when this was due. "
        "Hand out an enrolment link, then retry if it is still useful."
    ),
    Reason.OPTED_OUT: (
        "The patient opted out with STOP. Reach them another way; they can come back by pressing Start."
    ),
    Reason.NO_CONSENT: "The patient has not agreed to be written to. Ask for consent with an enrolment link.",
    Reason.BLOCKED: (
        "The patient has blocked the bot. Ask them to unblock it in Telegram; the next message clears the mark."
    ),
    Reason.DEACTIVATED: (
        "The patient's Telegram account was deleted. Ask for the new one and hand out an enrolment link."
    ),
    Reason.CHAT_NOT_FOUND: (
        "Telegram knows no chat with this ID: "
        "it is wrong, or the patient never pressed Start. Hand out an enrolment link."
    ),
    Reason.REJECTED: ("Telegram refused the text. Edit it, then retry; the attempt below holds what Telegram said."),
    Reason.OUTCOME_UNKNOWN: (
        "The line was cut while this was being sent: it may or may not have arrived. Ask the patient before you retry."
    ),
    Reason.SUPERSEDED: "A newer message of the same series was due as well, so only the newer one went out.",
    Reason.BOT_UNAUTHORIZED: (
        "Telegram refused the bot's token until it was too late. Give the bot's token anew in Settings."
    ),
    Reason.GAVE_UP: (
        "It was tried again and again, but Telegram could not be reached in time. Retry if it is still useful."
    ),
    Reason.TOO_LATE: "It could not leave in time and was not sent late. Retry if it is still useful.",
    Reason.BY_PERSON: "Someone decided that this is not to be sent.",
    Reason.SCHEDULE_ENDED: "Its schedule was cancelled or ended before this was due.",
    Reason.PATIENT_LEFT: "The patient has left the clinic's directory.",
}


BEFORE_A_RESTORE: Final = "It may have been sent before the restore. Ask the patient before you retry."


def sentence(code: str, *, held_by_restore: bool = False) -> str:
    """Say what happened and what to do. Raises ValueError for an unknown code.

    `held_by_restore`: the outcome is unknown because the database was restored, not because a line was cut.
    """
    if held_by_restore and code == Reason.OUTCOME_UNKNOWN:
        return BEFORE_A_RESTORE
    return SENTENCES[Reason(code)]
