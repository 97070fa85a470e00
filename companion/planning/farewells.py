"""Messages that tell a chat that a patient's messages no longer come there, because the patient has another chat now.

patients/former_chats.py stores the chats that have to be told. To add a language, add an entry to WORDS.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from typing import Final

from django.db import transaction

from companion.clinics import opt_outs
from companion.patients import former_chats
from companion.patients.languages import ENGLISH
from companion.patients.models import Consent, FormerChat, Patient
from companion.planning.answers import answer
from companion.schedules.models import Attempt, AttemptOutcome

WORDS: Final[Mapping[str, str]] = {
    "en": (
        "The messages from {clinic} that came to this chat until now no longer come here. "
        "If that is wrong, please tell {clinic}."
    ),
    "de": (
        "Die Nachrichten von {clinic}, die bisher in diesen Chat kamen, kommen nicht mehr hierher. "
        "Falls das falsch ist, sagen Sie bitte {clinic} Bescheid."
    ),
    "es": (
        "Los mensajes de {clinic} que llegaban a este chat ya no llegarán aquí. "
        "Si es un error, avise por favor a {clinic}."
    ),
    "pt": (
        "As mensagens de {clinic} que chegavam neste chat já não chegarão aqui. "
        "Se isto for um engano, avise por favor {clinic}."
    ),
}


def say(patients: Collection[uuid.UUID], *, now: dt.datetime) -> None:
    """Send this message to the former chats of these patients, to each once."""
    for chat in former_chats.to_be_told(patients):
        with transaction.atomic():
            if former_chats.claim_telling(chat) and _wants_to_know(chat):
                _say(chat, now)


def _say(chat: FormerChat, now: dt.datetime) -> None:
    language = chat.patient.language.partition("-")[0].lower()
    text = WORDS.get(language, WORDS[ENGLISH])
    answer(chat.clinic, telegram_id=chat.telegram_id, patient=chat.patient, text=text, now=now)


def _wants_to_know(chat: FormerChat) -> bool:
    """Return whether the chat got, or agreed to get, the patient's messages, and may get a message now."""
    patient = chat.patient
    if patient.telegram_id == chat.telegram_id or patient.consent == Consent.WITHDRAWN:
        return False
    if opt_outs.has_stopped(chat.clinic, chat.telegram_id):
        return False
    return chat.agreed or _was_written_to(patient, chat.telegram_id)


def _was_written_to(patient: Patient, telegram_id: int) -> bool:
    own = Attempt.objects.filter(clinic_id=patient.clinic_id, telegram_id=telegram_id, outcome=AttemptOutcome.SENT)
    return own.filter(message__patient=patient).exists()
