"""Why a patient can't be reached, and what to do: one rule, as a sentence for one patient and as a query for many.

It tells people what to expect. Whether a due message may leave is decided at the time (delivery/verdict.py).
"""

from enum import StrEnum
from typing import Final

from django.db.models import Q

from companion.clinics.models import Clinic
from companion.patients.models import Consent, Patient, Trouble, Verified


class Why(StrEnum):
    """What stands in the way. Where several do, the first of these is what people hear."""

    LEFT = "left"
    NO_TELEGRAM_ID = "no_telegram_id"
    OPTED_OUT = "opted_out"
    NOT_ANSWERED = "not_answered"
    NO_CONSENT = "no_consent"
    BLOCKED = "blocked"
    DEACTIVATED = "deactivated"
    CHAT_NOT_FOUND = "chat_not_found"


SENTENCES: Final = {
    Why.LEFT: "Has left the clinic's directory. Import the patient again if that is wrong.",
    Why.NO_TELEGRAM_ID: "No Telegram ID is known. Hand out an enrolment link.",
    Why.OPTED_OUT: "Opted out with STOP. Reach the patient another way; pressing Start in the chat opens it again.",
    Why.NOT_ANSWERED: "Has not yet answered whether we may write. Ask the patient to tap “I agree” in the chat.",
    Why.NO_CONSENT: "Has not agreed to be written to, which your clinic demands. Hand out an enrolment link.",
    Why.BLOCKED: "Has blocked the bot. Ask the patient to unblock it in Telegram.",
    Why.DEACTIVATED: "The Telegram account was deleted. Ask for the new one and hand out an enrolment link.",
    Why.CHAT_NOT_FOUND: (
        "Telegram knows no chat with this ID: it is wrong, or the patient never pressed Start. "
        "Hand out an enrolment link."
    ),
}

_TROUBLES: Final = {
    Trouble.BLOCKED: Why.BLOCKED,
    Trouble.DEACTIVATED: Why.DEACTIVATED,
    Trouble.CHAT_NOT_FOUND: Why.CHAT_NOT_FOUND,
}


def why_unreachable(patient: Patient, clinic: Clinic) -> Why | None:
    """What stands in the way; None where the patient can be reached."""
    if patient.left_at is not None:
        return Why.LEFT
    if patient.telegram_id is None:
        return Why.NO_TELEGRAM_ID
    if patient.consent == Consent.WITHDRAWN:
        return Why.OPTED_OUT
    if patient.consent_asked_at is not None:
        return Why.NOT_ANSWERED
    if clinic.consent_required and patient.consent != Consent.GIVEN:
        return Why.NO_CONSENT
    return _TROUBLES.get(Trouble(patient.trouble))


def unreachable_reason(patient: Patient, clinic: Clinic) -> str | None:
    """The same as one sentence that says why and what to do."""
    why = why_unreachable(patient, clinic)
    return SENTENCES[why] if why else None


def chat_trouble(patient: Patient) -> str:
    """What Telegram last said against this chat, and what to do; empty for nothing. An answer is tried all the same."""
    why = _TROUBLES.get(Trouble(patient.trouble))
    return SENTENCES[why] if why else ""


def unreachable(clinic: Clinic) -> Q:
    """The same rule as a query on patients."""
    rule = (
        Q(left_at__isnull=False)
        | Q(telegram_id__isnull=True)
        | Q(consent=Consent.WITHDRAWN)
        | Q(consent_asked_at__isnull=False)
        | ~Q(trouble=Trouble.NONE)
    )
    return rule | ~Q(consent=Consent.GIVEN) if clinic.consent_required else rule


def mended_by_a_card(clinic: Clinic) -> Q:
    """Those whom an invitation brings back. Not who opted out: an invitation is no way around a STOP."""
    return unreachable(clinic) & Q(left_at__isnull=True) & ~Q(consent=Consent.WITHDRAWN)


def hindered_by(why: Why) -> Q:
    """Patients with whom this stands in the way, whatever else does."""
    match why:
        case Why.LEFT:
            return Q(left_at__isnull=False)
        case Why.NO_TELEGRAM_ID:
            return Q(telegram_id__isnull=True)
        case Why.OPTED_OUT:
            return Q(consent=Consent.WITHDRAWN)
        case Why.NOT_ANSWERED:
            return Q(telegram_id__isnull=False, consent_asked_at__isnull=False)
        case Why.NO_CONSENT:
            return Q(telegram_id__isnull=False, consent=Consent.UNKNOWN)
        case Why.BLOCKED | Why.DEACTIVATED | Why.CHAT_NOT_FOUND:
            # The first condition is the index's own.
            return ~Q(trouble=Trouble.NONE) & Q(trouble=why.value)


def telegram_check(patient: Patient) -> Verified:
    """What Telegram last said of the patient's chat, asked in the background or by a message that went there."""
    if patient.telegram_id is None:
        return Verified.NOT_ASKED
    match Trouble(patient.trouble):
        case Trouble.BLOCKED:
            return Verified.BLOCKED
        case Trouble.DEACTIVATED | Trouble.CHAT_NOT_FOUND:
            return Verified.NOT_FOUND
        case Trouble.NONE:
            # Where Telegram said no at first, a message has arrived since.
            return Verified.FOUND if patient.verified_id == patient.telegram_id else Verified.NOT_ASKED
