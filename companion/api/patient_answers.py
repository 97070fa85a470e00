"""Patients and their conversations in the shapes of patient_shapes.py."""

from django.urls import reverse

from companion.api.patient_shapes import ConversationItem, MediaShape, PatientShape, WordingShape
from companion.clinics.models import Clinic
from companion.listener.conversation import Item
from companion.listener.media import obstacle
from companion.listener.models import Media
from companion.patients.models import Patient
from companion.patients.reach import obstacle_of, telegram_check


def conversation_item_of(item: Item) -> ConversationItem:
    """Return the shape of one message of a conversation."""
    return ConversationItem(
        at=item.at,
        direction=item.direction,
        text=item.text,
        message=item.message,
        kind=item.kind,
        by=item.by or None,
        media=media_of(item.media) if item.media else None,
        map=item.map_link or None,
        edited_at=item.edited_at,
        earlier=[
            WordingShape(
                at=wording.at,
                text=wording.text,
                media=media_of(wording.media) if wording.media else None,
                map=wording.map_link or None,
            )
            for wording in item.earlier
        ],
    )


def media_of(file: Media) -> MediaShape:
    """Return the shape of a file, with its address if the file is available."""
    why = obstacle(file)
    return MediaShape(
        id=file.id,
        kind=file.kind,
        type=file.type or None,
        size=file.size,
        link=None if why else reverse("api:read_media", args=[file.id]),
        unavailable=why or None,
    )


def patient_of(patient: Patient, clinic: Clinic) -> PatientShape:
    """Return the shape of a patient."""
    obstacle = obstacle_of(patient, clinic)
    return PatientShape(
        id=patient.id,
        external_id=patient.external_id,
        name=patient.name,
        birth_date=patient.birth_date.isoformat() if patient.birth_date else None,
        phone=patient.phone or None,
        telegram_id=patient.telegram_id,
        caregiver=patient.caregiver or None,
        timezone=patient.timezone,
        language=patient.language,
        cohorts=sorted(cohort.name for cohort in patient.cohorts.all()),
        consent=patient.consent,
        reachable=obstacle is None,
        unreachable_reason=obstacle.sentence if obstacle else None,
        unreachable_code=obstacle.code if obstacle else None,
        telegram_id_check=telegram_check(patient).value or "not_asked",
        paused_until=patient.paused_until.isoformat() if patient.paused_until else None,
        paused_reason=patient.paused_reason or None,
    )
