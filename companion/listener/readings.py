"""Record in the audit trail who reads what patients wrote: each opening of a conversation or of a file.

A page asks for new messages every few seconds. Only the first showing and answers with something new are recorded. For
a message's page and for the lists, each reader is recorded at most once in ten minutes.
"""

import datetime as dt
import uuid
from collections.abc import Iterable

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.listener.models import Conversation, Media
from companion.patients.models import Patient
from companion.schedules.models import Message


def of_patient(caller: Caller, patient: Patient, *, now: dt.datetime) -> None:
    """Record that the caller reads a patient's conversation."""
    audit.record_reading(caller, "conversation read", "patient", patient.pk, now=now)


def of_conversation(caller: Caller, conversation: Conversation, *, now: dt.datetime) -> None:
    """Record that the caller reads a conversation, also a stranger's."""
    if conversation.patient_id:
        audit.record_reading(caller, "conversation read", "patient", conversation.patient_id, now=now)
    else:
        audit.record_reading(caller, "conversation read", "conversation", conversation.pk, now=now)


def of_message(caller: Caller, message: Message, *, now: dt.datetime) -> None:
    """Record that the caller looks at a message: its text, and what the patient answered."""
    audit.record_repeated_reading(caller, "message read", "message", message.pk, now=now)


def of_messages(caller: Caller, patient: uuid.UUID, *, now: dt.datetime) -> None:
    """Record that the caller lists the messages of one patient."""
    audit.record_repeated_reading(caller, "messages read", "patient", patient, now=now)


def of_list(caller: Caller, answers: Iterable[str | None], *, now: dt.datetime) -> None:
    """Record that the caller lists messages of many patients, if the list shows what a patient answered."""
    if any(answers):
        audit.record_repeated_reading(caller, "answers read", "clinic", caller.clinic.pk, now=now)


def of_inbox(caller: Caller, *, now: dt.datetime) -> None:
    """Record that the caller lists conversations with the newest words of each."""
    audit.record_repeated_reading(caller, "inbox read", "clinic", caller.clinic.pk, now=now)


def of_file(caller: Caller, media: Media, *, now: dt.datetime) -> None:
    """Record that the caller opens a patient's file."""
    audit.record_reading(caller, "file opened", "media", media.pk, now=now)
