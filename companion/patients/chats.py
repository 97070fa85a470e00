"""Changes to a patient's consent when the patient gets another chat. Sets columns; the caller saves them."""

from typing import Final

from companion.patients.models import Consent, Patient, Withdrawal

SOURCE: Final = "chat: had opted out"
"""Marks, in the consent's history, a withdrawal that came with the chat."""


def leave(patient: Patient) -> None:
    """Forget the consent, the question and the trouble of the old chat: the patient has another chat from now on.

    An opt-out that came with the chat ends too. A withdrawal that the patient expressed stays.
    """
    if patient.withdrawal == Withdrawal.CHAT:
        patient.consent, patient.consent_before_stop = patient.consent_before_stop or Consent.UNKNOWN, ""
    if patient.consent == Consent.GIVEN:
        patient.consent = Consent.UNKNOWN
    if patient.consent_before_stop:
        patient.consent_before_stop = Consent.UNKNOWN
    patient.withdrawal, patient.consent_asked_at = Withdrawal.OWN, None
    patient.trouble, patient.trouble_at = "", None


def follow_opt_out(patient: Patient) -> None:
    """Opt the patient out because the chat has opted out, until that chat presses Start or the patient gets
    another chat.
    """
    if patient.consent != Consent.WITHDRAWN:
        patient.consent_before_stop, patient.consent = patient.consent, Consent.WITHDRAWN
        patient.withdrawal = Withdrawal.CHAT
