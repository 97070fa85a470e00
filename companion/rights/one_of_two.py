"""Work out the result of a merge: the remaining patient's columns, and sentences about the values that are lost. Pure.

The remaining patient keeps their values. An empty value is replaced by the other patient's value. A withdrawn consent
wins.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from companion.patients.models import Consent, Patient, Withdrawal
from companion.patients.pausing import paused_words

_OF_THE_CHAT: Final = ("telegram_id", "caregiver", "trouble", "trouble_at", "verified", "verified_id")
_NAMED: Final = {
    "name": "name",
    "birth_date": "birth date",
    "phone": "phone number",
    "caregiver": "caregiver",
    "timezone": "time zone",
    "language": "language",
}
"""The columns whose differing values people are told about, with their names for people."""


@dataclass(frozen=True, slots=True)
class MergedValues:
    """The merged patient's columns that change, the chat that is left, and what people should know."""

    columns: dict[str, object]
    left_chat: int | None
    """A chat in which nobody is reached any more. It gets a last message that says so."""
    agreed_there: bool
    sentences: tuple[str, ...]


def merged_values(gone: Patient, stays: Patient) -> MergedValues:
    """Return the result of merging the patient `gone` into the patient `stays`."""
    takes = stays.telegram_id is None and gone.telegram_id is not None
    leaves = None if takes or gone.telegram_id == stays.telegram_id else gone.telegram_id
    columns: dict[str, object] = {
        name: getattr(gone, name)
        for name in ("birth_date", "phone")
        if getattr(gone, name) and not getattr(stays, name)
    }
    if takes:
        columns |= {name: getattr(gone, name) for name in _OF_THE_CHAT}
    columns |= _consent(gone, stays, takes=takes) | _pause(gone, stays)
    changed = {name: value for name, value in columns.items() if value != getattr(stays, name)}
    return MergedValues(changed, leaves, gone.consent == Consent.GIVEN, tuple(_sentences(gone, stays, changed, leaves)))


def _consent(gone: Patient, stays: Patient, *, takes: bool) -> dict[str, object]:
    """Return the consent's columns. A consent belongs to a chat and moves only with it; a withdrawal always moves."""
    consent, before, asked = stays.consent, stays.consent_before_stop, stays.consent_asked_at
    withdrawal = stays.withdrawal
    if takes:
        consent, before, asked = gone.consent, gone.consent_before_stop, gone.consent_asked_at
        withdrawal = gone.withdrawal
    elif gone.telegram_id == stays.telegram_id and Consent.GIVEN in (gone.consent, stays.consent):
        consent, asked = Consent.GIVEN, None
    withdrawn = [patient for patient in (gone, stays) if patient.consent == Consent.WITHDRAWN]
    if withdrawn:
        by_patient = any(patient.withdrawal == Withdrawal.OWN for patient in withdrawn)
        if consent != Consent.WITHDRAWN:
            before, consent, by_patient = consent, Consent.WITHDRAWN, True
        withdrawal = Withdrawal.OWN if by_patient else withdrawal
    return {
        "consent": consent,
        "consent_before_stop": before,
        "consent_asked_at": asked,
        "withdrawal": withdrawal,
    }


def _pause(gone: Patient, stays: Patient) -> dict[str, object]:
    """Return the columns of the other patient's pause if it is longer; otherwise nothing."""
    if gone.paused_until is None or (stays.paused_until and stays.paused_until >= gone.paused_until):
        return {}
    return {"paused_until": gone.paused_until, "paused_reason": gone.paused_reason}


def _sentences(gone: Patient, stays: Patient, changed: dict[str, object], leaves: int | None) -> list[str]:
    sentences = [
        f"The {words} stays {_shown(getattr(stays, name))}; {_shown(getattr(gone, name))} is dropped."
        for name, words in _NAMED.items()
        if name not in changed and getattr(gone, name) and getattr(gone, name) != getattr(stays, name)
    ]
    sentences.append(f"The id {gone.external_id} is no longer used. Imports refuse it, so remove it from the source.")
    if leaves is not None:
        sentences.append(
            f"Messages go to the chat {stays.telegram_id}. The chat {leaves} gets no more messages. If it got messages "
            "before, it is told so."
        )
    elif "telegram_id" in changed:
        sentences.append(f"Messages go to the chat {gone.telegram_id}, which was {gone.name}'s.")
    if changed.get("consent") == Consent.WITHDRAWN:
        sentences.append(
            "One of the two has opted out, so the merged patient has, too. Only their own Start undoes that."
        )
    if changed.get("consent") == Consent.GIVEN:
        sentences.append("The consent moves with the chat.")
    if "paused_until" in changed:
        sentences.append(f"The longer pause applies: {paused_words(gone)}.")
    return sentences


def _shown(value: object) -> str:
    if isinstance(value, dt.date):
        return f"{value.day} {value:%B %Y}"
    return str(value) or "empty"
