"""Answer Start and STOP, ask for consent with two buttons, and handle the tap on them.

Each answer is a Message in the lane `answer`. The texts are in words.py.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.delivery import lifecycle
from companion.listener.chat import Chat
from companion.listener.words import Word, say
from companion.patients import consent, enrolment, enrolment_notes
from companion.patients.enrolment import NotLinked
from companion.patients.models import Consent, NoteKind, Patient
from companion.planning import farewells
from companion.planning.answers import answer, silence
from companion.schedules.models import Lane, Message

AGREE: Final = "consent:yes:"
"""The beginning of the data of the button by which a patient agrees."""
_NOT_ME: Final = "consent:no:"

_TURNED: Final = {
    NotLinked.UNKNOWN: Word.LINK_UNKNOWN,
    NotLinked.USED: Word.LINK_USED,
    NotLinked.EXPIRED: Word.LINK_EXPIRED,
    NotLinked.TAKEN: Word.LINK_TAKEN,
}


@dataclass(frozen=True, slots=True)
class Tap:
    """A patient's answer to the question of consent."""

    patient: uuid.UUID
    agrees: bool


def started(chat: Chat, payload: str) -> None:
    """Handle /start.

    With an invitation, link the patient and ask for consent; only a yes to this question then undoes a STOP. Without
    an invitation, undo a STOP, and ask for consent again where the question is open.
    """
    if payload:
        outcome = enrolment.redeem(chat.clinic, payload, chat.telegram_id, now=chat.now)
        if isinstance(outcome, NotLinked):
            return _tell(chat, _TURNED[outcome], to_opted_out=True)
        patient = outcome.patient
        if not outcome.again or chat.opted_out or _is_to_be_asked(chat.clinic, patient):
            return _ask(chat, patient)
        return _tell(chat, Word.STARTED)
    patients = consent.restore(chat.clinic, chat.telegram_id, source="patient: /start", now=chat.now)
    unasked = [patient for patient in patients if _is_to_be_asked(chat.clinic, patient)]
    for patient in unasked:
        _ask(chat, patient)
    if not patients:
        return _tell(chat, Word.NOT_KNOWN, to_opted_out=True)
    if len(unasked) < len(patients):
        _tell(chat, Word.STARTED)
    return None


def stopped(chat: Chat, source: str) -> None:
    """Handle STOP: opt out the chat and all of its patients, and confirm the opt-out."""
    consent.withdraw(chat.clinic, chat.telegram_id, source=source, now=chat.now)
    if not chat.opted_out:
        silence(chat.clinic, chat.telegram_id)
    _tell(chat, Word.STOPPED, to_opted_out=True)


def call_instead(chat: Chat, patient: Patient | None) -> None:
    """Answer words that ask for urgent help: nobody watches the chat at all hours, so please call this number."""
    if patient is None or patient.consent != Consent.WITHDRAWN:
        language = patient.language if patient else chat.languages[0]
        send(chat, patient, f"{say(Word.CALL, language)} {chat.clinic.urgent_phone}")


def read_tap(data: str) -> Tap | None:
    """Read the answer to the consent question from a button's data; None for other buttons."""
    for prefix in (AGREE, _NOT_ME):
        if data.startswith(prefix):
            try:
                return Tap(uuid.UUID(hex=data.removeprefix(prefix)), agrees=prefix == AGREE)
            except ValueError:
                return None
    return None


def answered(chat: Chat, tap: Tap) -> str:
    """Record the answer if the question is open and the patient belongs to this chat.

    Return the text to show over the chat; mostly "", which shows nothing.
    """
    patient = next((patient for patient in chat.patients if patient.id == tap.patient), None)
    language = chat.languages[0]
    if patient is None or patient.consent_asked_at is None:
        agreed = patient is not None and patient.consent == Consent.GIVEN and tap.agrees
        return "" if chat.silent else say(Word.AGREED_BEFORE if agreed else Word.NOT_OPEN, language)
    if tap.agrees and not consent.may_agree(patient):
        # The question is older than the STOP. Only a Start undoes the STOP.
        return ""
    if tap.agrees:
        consent.agree(patient, chat.telegram_id, source="patient: agreed", now=chat.now)
        farewells.say([patient.id], now=chat.now)
        _say(chat, patient, Word.AGREED)
        return ""
    _not_me(chat, patient)
    return ""


def _not_me(chat: Chat, patient: Patient) -> None:
    silent = chat.silent
    consent.unlink(patient, source="patient: not me", now=chat.now)
    listener = Caller(chat.clinic, "service", None, "listener", Role.PROVIDER)
    changes = {"telegram_id": audit.CHANGED}
    audit.record(listener, "enrolment answered: not me", "patient", patient.id, now=chat.now, changes=changes)
    enrolment_notes.remove(patient, NoteKind.EXCHANGED)
    enrolment_notes.tell(patient, NoteKind.NOT_ME, now=chat.now)
    # The patient no longer belongs to this chat, so the answer carries no patient.
    if not silent:
        _say(chat, None, Word.NOT_ME, language=patient.language)


def _is_to_be_asked(clinic: Clinic, patient: Patient) -> bool:
    if patient.consent_asked_at is not None or patient.consent == Consent.WITHDRAWN:
        return patient.consent != Consent.GIVEN
    return clinic.consent_required and patient.consent == Consent.UNKNOWN


def _ask(chat: Chat, patient: Patient) -> None:
    consent.note_question(patient, now=chat.now)
    language = patient.language
    buttons = [
        [{"text": say(Word.AGREE_BUTTON, language), "callback_data": f"{AGREE}{patient.id.hex}"}],
        [{"text": say(Word.NOT_ME_BUTTON, language), "callback_data": f"{_NOT_ME}{patient.id.hex}"}],
    ]
    _say(chat, patient, Word.QUESTION, buttons=buttons, to_opted_out=True)


def _tell(chat: Chat, word: Word, *, to_opted_out: bool = False) -> None:
    """Send one answer to the chat, also if several patients are reached there.

    `to_opted_out`: send it also if the chat has opted out. Answers to STOP, and to a Start that undid no STOP, need
    this.
    """
    patient = chat.patients[0] if chat.patients else None
    _say(chat, patient, word, language=chat.languages[0], to_opted_out=to_opted_out)


def _say(
    chat: Chat,
    patient: Patient | None,
    word: Word,
    *,
    language: str = "",
    buttons: list[list[dict[str, str]]] | None = None,
    to_opted_out: bool = False,
) -> None:
    text = say(word, language or (patient.language if patient else chat.languages[0]))
    send(chat, patient, text, buttons=buttons, to_opted_out=to_opted_out)


def send(
    chat: Chat,
    patient: Patient | None,
    text: str,
    *,
    buttons: list[list[dict[str, str]]] | None = None,
    to_opted_out: bool = False,
) -> None:
    """Queue an answer to the chat, unless the same answer waits there already."""
    if _is_waiting(chat, patient, text, to_opted_out=to_opted_out):
        return
    answer(
        chat.clinic,
        telegram_id=chat.telegram_id,
        patient=patient,
        text=text,
        now=chat.now,
        buttons=buttons,
        stop_or_start=to_opted_out,
    )


def _is_waiting(chat: Chat, patient: Patient | None, text: str, *, to_opted_out: bool) -> bool:
    """Return whether the same answer is queued already, so that a thousand equal messages of a chat get one answer."""
    queued = Message.objects.filter(
        lifecycle.NOT_BEGUN,
        clinic=chat.clinic,
        patient=patient,
        telegram_id=chat.telegram_id,
        lane__in=(Lane.ANSWER, Lane.STRANGER),
        answers_stop_or_start=to_opted_out,
    )
    return any(message.text == text for message in queued.order_by("-created_at")[:20])
