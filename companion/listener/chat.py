"""A private chat, with the patients who are reached there."""

import datetime as dt
from dataclasses import dataclass

from companion.clinics.models import Clinic
from companion.patients.models import Consent, Patient, Withdrawal


@dataclass(frozen=True, slots=True)
class Chat:
    """A private chat at one moment, with the patients who are reached there. Their rows are locked."""

    clinic: Clinic
    telegram_id: int
    client_language: str
    """The language of the person's Telegram: the best guess if no patient is known here."""
    patients: tuple[Patient, ...]
    now: dt.datetime
    opted_out: bool = False
    """True if the chat had opted out before this moment."""

    @property
    def silent(self) -> bool:
        """Return whether nothing may be sent or shown here, because the chat or all of its patients have opted out."""
        opted_out = [
            patient.consent == Consent.WITHDRAWN and patient.withdrawal == Withdrawal.OWN for patient in self.patients
        ]
        return self.opted_out or (bool(opted_out) and all(opted_out))

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the languages of the chat's patients; without patients, the best guess."""
        known = tuple(patient.language for patient in self.patients)
        return known or (self.client_language or self.clinic.language,)
