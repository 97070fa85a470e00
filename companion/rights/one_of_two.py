"""The patient that a merge of two gives: columns, and sentences for people about the values that are lost. Pure.

The one who goes on keeps their own values; where those are empty, the other's are taken. A withdrawn consent wins.
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
"""The values that people know and that may differ."""


@dataclass(frozen=True, slots=True)
class One:
    """The merged patient's columns that change, the chat that is left, and what people should know."""

    columns: dict[str, object]
    left_chat: int | None
    """A chat in which nobody is reached any more; it is told so."""
    agreed_there: bool
    sentences: tuple[str, ...]


def one_of(gone: Patient, stays: Patient) -> One:
    """Make one of the patient who goes and the patient who goes on."""
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
    return One(changed, leaves, gone.consent == Consent.GIVEN, tuple(_sentences(gone, stays, changed, leaves)))


def _consent(gone: Patient, stays: Patient, *, takes: bool) -> dict[str, object]:
    """A consent belongs to its chat, so it comes along with the chat alone; a withdrawal comes along in any case."""
    consent, before, asked = stays.consent, stays.consent_before_stop, stays.consent_asked_at
    withdrawal = stays.withdrawal
    if takes:
        consent, before, asked = gone.consent, gone.consent_before_stop, gone.consent_asked_at
        withdrawal = gone.withdrawal
    elif gone.telegram_id == stays.telegram_id and Consent.GIVEN in (gone.consent, stays.consent):
        consent, asked = Consent.GIVEN, None
    both = (gone, stays)
    if any(one.consent == Consent.WITHDRAWN for one in both):
        own = any(one.consent == Consent.WITHDRAWN and one.withdrawal == Withdrawal.OWN for one in both)
        if consent != Consent.WITHDRAWN:
            before, consent, own = consent, Consent.WITHDRAWN, True
        withdrawal = Withdrawal.OWN if own else withdrawal
    return {
        "consent": consent,
        "consent_before_stop": before,
        "consent_asked_at": asked,
        "withdrawal": withdrawal,
    }


def _pause(gone: Patient, stays: Patient) -> dict[str, object]:
    """The longer pause holds."""
    if gone.paused_until is None or (stays.paused_until and stays.paused_until >= gone.paused_until):
        return {}
    return {"paused_until": gone.paused_until, "paused_reason": gone.paused_reason}


def _sentences(gone: Patient, stays: Patient, changed: dict[str, object], leaves: int | None) -> list[str]:
    said = [
        f"The {words} stays {_shown(getattr(stays, name))}; {_shown(getattr(gone, name))} is dropped."
        for name, words in _NAMED.items()
        if name not in changed and getattr(gone, name) and getattr(gone, name) != getattr(stays, name)
    ]
    said.append(f"The id {gone.external_id} is given up: imports refuse it from now on, so take it out of the source.")
    if leaves is not None:
        said.append(
            f"Messages go to the chat {stays.telegram_id}. The chat {leaves} gets none any more, and is told so "
            "if messages came there."
        )
    elif "telegram_id" in changed:
        said.append(f"Messages go to the chat {gone.telegram_id}, which was {gone.name}'s.")
    if changed.get("consent") == Consent.WITHDRAWN:
        said.append("One of the two has opted out, so the merged patient has. Only their own Start undoes that.")
    if changed.get("consent") == Consent.GIVEN:
        said.append("The consent comes along with the chat.")
    if "paused_until" in changed:
        said.append(f"The longer pause holds: {paused_words(gone)}.")
    return said


def _shown(value: object) -> str:
    if isinstance(value, dt.date):
        return f"{value.day} {value:%B %Y}"
    return str(value) or "empty"
