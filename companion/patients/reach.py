"""Why a patient can't be reached, and what to do: one rule, as a sentence for one patient and as a query for many.

It tells people what to expect. Whether a due message may leave is decided at the time (schedules/last_look.py).
"""

from django.db.models import Q

from companion.clinics.models import Clinic
from companion.patients.models import Consent, Patient, Trouble

LEFT = "Has left the clinic's directory. Import the patient again if that is wrong."
NO_TELEGRAM_ID = "No Telegram ID is known. Hand out an enrolment link."
OPTED_OUT = "Opted out with STOP. Reach the patient another way; pressing Start in the chat opens it again."
NOT_ANSWERED = "Has not yet answered whether we may write. Ask the patient to tap “I agree” in the chat."
NO_CONSENT = "Has not agreed to be written to, which your clinic demands. Hand out an enrolment link."
TROUBLES = {
    Trouble.BLOCKED: "Has blocked the bot. Ask the patient to unblock it in Telegram.",
    Trouble.DEACTIVATED: "The Telegram account was deleted. Ask for the new one and hand out an enrolment link.",
    Trouble.CHAT_NOT_FOUND: (
        "Telegram knows no chat with this ID: it is wrong, or the patient never pressed Start. "
        "Hand out an enrolment link."
    ),
}


def unreachable_reason(patient: Patient, clinic: Clinic) -> str | None:
    """One sentence that says why and what to do; None where the patient can be reached."""
    if patient.left_at is not None:
        return LEFT
    if patient.telegram_id is None:
        return NO_TELEGRAM_ID
    if patient.consent == Consent.WITHDRAWN:
        return OPTED_OUT
    if patient.consent_asked_at is not None:
        return NOT_ANSWERED
    if clinic.consent_required and patient.consent != Consent.GIVEN:
        return NO_CONSENT
    return TROUBLES.get(Trouble(patient.trouble))


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
