"""The reasons why a patient can't be reached, and their remedies: one table for pages, warnings, checks and the API.

The table tells people what to expect. Whether a due message may leave is decided at that time (delivery/verdict.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Final

from django.db.models import Q

from companion.clinics.models import Clinic
from companion.patients.models import Consent, Patient, Verified
from companion.telegram.outcomes import BLOCKED, CHAT_NOT_FOUND, DEACTIVATED


class Why(StrEnum):
    """The codes of all obstacles, for programs."""

    LEFT = "left"
    NO_TELEGRAM_ID = "no_telegram_id"
    OPTED_OUT = "opted_out"
    NOT_ANSWERED = "not_answered"
    NO_CONSENT = "no_consent"
    BLOCKED = BLOCKED
    DEACTIVATED = DEACTIVATED
    CHAT_NOT_FOUND = CHAT_NOT_FOUND


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A reason why a patient can't be reached, and the words for it."""

    code: Why
    short: str
    """The short form, for lists and filters."""
    what: str
    """Completes "The patient has …"."""
    mend: str
    """A sentence that tells staff how to remove the obstacle."""
    query: Q
    """Matches the patients who have this obstacle, even if they also have others."""
    concerns: Callable[[Patient], bool]
    """True if one patient has this obstacle; agrees with the query."""
    invite: str = ""
    """The button that opens an invitation; empty where an invitation doesn't help."""
    retry: bool = False
    """True if a failed message may get through once the obstacle is mended."""
    where_consent_is_required: bool = False
    """True if only clinics that require consent have this obstacle."""
    chat: Verified = Verified.NOT_ASKED
    """The state of the chat that Telegram reported; NOT_ASKED if the obstacle has nothing to do with Telegram."""

    @property
    def sentence(self) -> str:
        """The reason and what to do."""
        return f"The patient has {self.what}. {self.mend}"

    @property
    def past_sentence(self) -> str:
        """The sentence for a message that failed."""
        retry = " Then retry, if the message is still useful." if self.retry else ""
        return f"The patient had {self.what} when this was due. {self.mend}{retry}"

    def sentence_about(self, patient: Patient) -> str:
        """The sentence for a warning that names the patient."""
        return f"{patient.name} has {self.what}. {self.mend}"

    def sentence_about_more(self, count: int) -> str:
        """The sentence for the patients whom a warning no longer names."""
        have = "has" if count == 1 else "have"
        return f"{count:,} more {have} {self.what}. For each: {self.mend[:1].lower()}{self.mend[1:]}"


def _refused(code: Why, short: str, what: str, mend: str, *, chat: Verified, retry: bool) -> Obstacle:
    """Build an obstacle that Telegram reported about the patient's chat."""
    return Obstacle(
        code,
        short,
        what,
        mend,
        # The first condition is the condition of the index.
        query=~Q(trouble="") & Q(trouble=code.value),
        concerns=lambda patient: patient.trouble == code,
        invite="Invite again",
        retry=retry,
        chat=chat,
    )


OBSTACLES: Final = (
    Obstacle(
        Why.LEFT,
        "Has left",
        "left the clinic's directory",
        "Import the patient again if that is wrong.",
        query=Q(left_at__isnull=False),
        concerns=lambda patient: patient.left_at is not None,
    ),
    Obstacle(
        Why.NO_TELEGRAM_ID,
        "No Telegram ID",
        "no Telegram ID",
        "Hand out an enrolment link.",
        query=Q(telegram_id__isnull=True),
        concerns=lambda patient: patient.telegram_id is None,
        invite="Invite",
        retry=True,
    ),
    Obstacle(
        Why.OPTED_OUT,
        "Opted out",
        "opted out",
        "Reach them another way. Pressing Start in the chat lets messages through again.",
        query=Q(consent=Consent.WITHDRAWN),
        concerns=lambda patient: patient.consent == Consent.WITHDRAWN,
    ),
    Obstacle(
        Why.NOT_ANSWERED,
        "Hasn't answered yet",
        "not yet answered whether the clinic may write",
        "Ask them to tap “I agree” in the chat.",
        query=Q(telegram_id__isnull=False, consent_asked_at__isnull=False),
        concerns=lambda patient: patient.consent_asked_at is not None,
        invite="Invite again",
    ),
    Obstacle(
        Why.NO_CONSENT,
        "No consent",
        "not agreed to messages",
        "Hand out an enrolment link.",
        query=Q(telegram_id__isnull=False, consent=Consent.UNKNOWN),
        concerns=lambda patient: patient.consent == Consent.UNKNOWN,
        invite="Invite",
        where_consent_is_required=True,
    ),
    _refused(
        Why.BLOCKED,
        "Patient blocked the bot",
        "blocked the bot",
        "Ask them to unblock it in Telegram.",
        chat=Verified.BLOCKED,
        retry=True,
    ),
    _refused(
        Why.DEACTIVATED,
        "Account deleted",
        "deleted their Telegram account",
        "Ask for the new account and hand out an enrolment link.",
        chat=Verified.NOT_FOUND,
        retry=False,
    ),
    _refused(
        Why.CHAT_NOT_FOUND,
        "Chat not found",
        "no chat with the bot",
        "The Telegram ID is wrong, or they never pressed Start. Hand out an enrolment link.",
        chat=Verified.NOT_FOUND,
        retry=True,
    ),
)
"""All obstacles in order: a patient with several of them is shown with the first."""

BY_CODE: Final = {obstacle.code.value: obstacle for obstacle in OBSTACLES}
REFUSED_BY_TELEGRAM: Final = tuple(obstacle for obstacle in OBSTACLES if obstacle.chat)
_TO_ANSWERS: Final = (
    *(BY_CODE[code] for code in (Why.LEFT, Why.NO_TELEGRAM_ID, Why.OPTED_OUT)),
    *REFUSED_BY_TELEGRAM,
)


def known_to(clinic: Clinic) -> list[Obstacle]:
    """The obstacles that exist in this clinic."""
    return [obstacle for obstacle in OBSTACLES if clinic.consent_required or not obstacle.where_consent_is_required]


def obstacle_of(patient: Patient, clinic: Clinic) -> Obstacle | None:
    """The patient's first obstacle; None if the patient can be reached."""
    return next((obstacle for obstacle in known_to(clinic) if obstacle.concerns(patient)), None)


def unreachable_reason(patient: Patient, clinic: Clinic) -> str | None:
    """A sentence that says why the patient can't be reached and what to do; None if the patient can be reached."""
    obstacle = obstacle_of(patient, clinic)
    return obstacle.sentence if obstacle else None


def trouble_from(code: str) -> Why | None:
    """The obstacle to record on a patient after this refusal; None if the refusal says nothing about the chat."""
    obstacle = BY_CODE.get(code)
    return obstacle.code if obstacle in REFUSED_BY_TELEGRAM else None


def obstacle_to_answers(patient: Patient) -> Obstacle | None:
    """Return the first obstacle that also stops an answer to a message of the patient; None if there is none.

    Missing consent is no such obstacle: a patient who writes may be answered.
    """
    return next((obstacle for obstacle in _TO_ANSWERS if obstacle.concerns(patient)), None)


def unreachable(clinic: Clinic) -> Q:
    """The clinic's patients who have any obstacle."""
    return reduce(or_, (obstacle.query for obstacle in known_to(clinic)))


def helped_by_an_invitation(clinic: Clinic) -> Q:
    """The patients whom an invitation makes reachable. Patients who opted out are not among them: only their own
    Start counts.
    """
    beyond_help = reduce(or_, (obstacle.query for obstacle in known_to(clinic) if not obstacle.invite))
    return unreachable(clinic) & ~beyond_help


def telegram_check(patient: Patient) -> Verified:
    """Telegram's last answer about the patient's chat: to a background check, or to a message."""
    if patient.telegram_id is None:
        return Verified.NOT_ASKED
    if obstacle := BY_CODE.get(patient.trouble):
        return obstacle.chat
    # A chat that Telegram refused at the check, but that has no trouble now, has got a message since.
    return Verified.FOUND if patient.verified_id == patient.telegram_id else Verified.NOT_ASKED
