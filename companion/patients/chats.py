"""A patient's consent when the chat changes by which the patient is reached. Sets columns; whoever calls saves them."""

from typing import Final

from companion.patients.models import Consent, Patient, Withdrawal

SOURCE: Final = "chat: had opted out"
"""How the consent's history names a withdrawal that came with the chat."""


def leave(patient: Patient) -> None:
    """The patient is reached elsewhere from now on: what was agreed, asked and found out in the old chat is over.

    So is an opt-out that came with the chat. A withdrawal in the patient's own word stays.
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
    """The patient's chat has opted out, so the patient has, until that chat presses Start or another chat is known."""
    if patient.consent != Consent.WITHDRAWN:
        patient.consent_before_stop, patient.consent = patient.consent, Consent.WITHDRAWN
        patient.withdrawal = Withdrawal.CHAT
