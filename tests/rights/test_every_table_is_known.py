"""No table with patients' data is forgotten: a new table must have a place in exports, erasures and merges."""

from typing import Final

from django.apps import apps

from companion.listener.models import Media, Reply
from companion.patients.models import Patient
from companion.schedules.models import Message

KNOWN: Final = {
    "listener.Conversation",
    "listener.Media",
    "listener.MediaPart",
    "listener.Reply",
    "patients.CohortMember",
    "patients.ConsentChange",
    "patients.Enrolment",
    "patients.EnrolmentNote",
    "patients.FormerChat",
    "patients.FormerPatient",
    "schedules.Attempt",
    "schedules.Message",
    "schedules.Recipient",
}
"""Tables that refer to a patient, or to a patient's rows. rights/ hands them over, empties them and moves them."""


def test_every_table_about_a_patient_is_known_to_the_patients_rights() -> None:
    found = {
        model._meta.label
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model in (Patient, Message, Reply, Media)
    }

    assert found == KNOWN
