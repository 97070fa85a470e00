"""Readings of what patients wrote: each opening of a conversation or a file is in the audit trail.

A page that renews itself asks every few seconds. Its first showing and each one with something new are recorded, the
others show nothing and are not.
"""

import datetime as dt

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.listener.models import Conversation, Media
from companion.patients.models import Patient


def of_patient(caller: Caller, patient: Patient, *, now: dt.datetime) -> None:
    """Record that the caller reads a patient's conversation."""
    audit.record_reading(caller, "conversation read", "patient", patient.pk, now=now)


def of_conversation(caller: Caller, conversation: Conversation, *, now: dt.datetime) -> None:
    """Record that the caller reads a conversation, also a stranger's."""
    if conversation.patient_id:
        audit.record_reading(caller, "conversation read", "patient", conversation.patient_id, now=now)
    else:
        audit.record_reading(caller, "conversation read", "conversation", conversation.pk, now=now)


def of_file(caller: Caller, media: Media, *, now: dt.datetime) -> None:
    """Record that the caller opens a patient's file."""
    audit.record_reading(caller, "file opened", "media", media.pk, now=now)
