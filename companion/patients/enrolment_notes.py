"""Notes that ask the clinic to look at an enrolment or a chat: one for each patient and kind, until a member sees
it.
"""

import datetime as dt
import uuid
from typing import Final

from django.db.models import F

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Unknown
from companion.patients.models import EnrolmentNote, NoteKind, Patient

SENTENCES: Final = {
    NoteKind.USED: (
        "Somebody pressed Start with {name}'s invitation after it was used. "
        "If it was {first_name} on another phone, hand out a new invitation."
    ),
    NoteKind.EXPIRED: (
        "Somebody pressed Start with {name}'s invitation after it had expired. Hand out a new invitation."
    ),
    NoteKind.TAKEN: (
        "{name}'s invitation was opened in a chat that is another patient's. "
        "If both are reached on one phone, name the caregiver whose phone it is, then invite {first_name} again."
    ),
    NoteKind.NOT_ME: (
        "The person who opened {name}'s invitation said “That's not me”, and was unlinked. "
        "Hand {first_name} a new invitation."
    ),
    NoteKind.EXCHANGED: (
        "{name}'s invitation was opened in another chat than {first_name}'s. "
        "Confirm with {first_name} that the new chat is theirs."
    ),
    NoteKind.GIVEN_ON: (
        "{name} has a Telegram ID now that was another patient's before. "
        "Confirm with {first_name} that this chat is theirs, before health data goes to somebody else."
    ),
}


def tell(patient: Patient, kind: NoteKind, *, now: dt.datetime) -> None:
    """Add the note, or raise the count of the unseen note: a thousand presses of a link make one note."""
    unseen = EnrolmentNote.objects.filter(clinic_id=patient.clinic_id, patient=patient, kind=kind, seen_at__isnull=True)
    if not unseen.update(times=F("times") + 1, at=now):
        EnrolmentNote.objects.create(clinic_id=patient.clinic_id, patient=patient, kind=kind, at=now)


def remove(patient: Patient, kind: NoteKind) -> None:
    """Remove the note, since it turned out to be wrong."""
    EnrolmentNote.objects.filter(clinic_id=patient.clinic_id, patient=patient, kind=kind, seen_at__isnull=True).delete()


def unseen(clinic: Clinic, *, patient: Patient | None = None, limit: int = 100) -> list[EnrolmentNote]:
    """The unseen notes, the newest first."""
    found = EnrolmentNote.objects.filter(clinic=clinic, seen_at__isnull=True).select_related("patient")
    if patient:
        found = found.filter(patient=patient)
    return list(found.order_by("-at", "-id")[:limit])


def sentence(note: EnrolmentNote) -> str:
    """A sentence that says what happened and what to do."""
    patient = note.patient
    return SENTENCES[NoteKind(note.kind)].format(name=patient.name, first_name=patient.first_name)


def see(caller: Caller, id: uuid.UUID, *, now: dt.datetime) -> EnrolmentNote:
    """Mark the note as seen; the first member who did so stays named. Raises Unknown, and NotAllowed for a viewer."""
    caller.needs(Role.PROVIDER)
    found = EnrolmentNote.objects.filter(clinic=caller.clinic, pk=id)
    if found.filter(seen_at__isnull=True).update(seen_at=now, seen_by=caller.name[:64]):
        changes = audit.differences({}, {"seen_by": caller.name[:64]})
        audit.record(caller, "enrolment note seen", "enrolment note", id, now=now, changes=changes)
    note = found.select_related("patient").first()
    if note is None:
        raise Unknown("There is no such note.")
    return note
