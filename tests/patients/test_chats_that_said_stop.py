"""The migration that makes opt-outs of chats from what an older installation kept with its patients."""

import datetime as dt
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from companion.clinics.models import Clinic, OptOut
from companion.patients import consent
from companion.patients.models import Consent, ConsentChange, Patient
from tests.builders import NOW, a_caller, a_clinic, a_patient

pytestmark = pytest.mark.django_db
CHAT = 5_111


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


def migrate() -> None:
    """Run the migration twice, as after a kill."""
    migration = import_module("companion.patients.migrations.0010_chats_that_said_stop")
    for _ in range(2):
        migration.say_stop_for_chats(apps, connection.schema_editor())


def who_stopped(patient: Patient, source: str = "patient: /stop") -> Patient:
    """Store the row as the release before did."""
    Patient.objects.filter(pk=patient.pk).update(consent=Consent.WITHDRAWN, consent_before_stop=Consent.GIVEN)
    ConsentChange.objects.create(
        clinic=patient.clinic, patient=patient, at=NOW, consent=Consent.WITHDRAWN, source=source
    )
    return patient


def test_a_chat_in_which_a_patient_said_stop_has_opted_out(clinic: Clinic) -> None:
    who_stopped(a_patient(clinic, telegram_id=CHAT))
    who_stopped(a_patient(clinic, telegram_id=CHAT + 1, left_at=NOW))
    who_stopped(a_patient(clinic, telegram_id=None))
    a_patient(clinic, telegram_id=CHAT + 2)

    migrate()

    found = OptOut.objects.order_by("telegram_id").values_list("clinic", "telegram_id", "at", "source")
    assert list(found) == [(clinic.pk, chat, NOW, "patient: /stop") for chat in (CHAT, CHAT + 1)]


def test_it_holds_for_a_child_who_was_added_after_the_stop(clinic: Clinic) -> None:
    who_stopped(a_patient(clinic, telegram_id=CHAT, caregiver="Maria"))
    a_patient(clinic, telegram_id=CHAT, caregiver="Maria")

    migrate()

    assert OptOut.objects.get().telegram_id == CHAT
    assert set(Patient.objects.values_list("consent", flat=True)) == {Consent.WITHDRAWN}
    consent.restore(clinic, CHAT, source="patient: /start", now=NOW)
    assert set(Patient.objects.values_list("consent", flat=True)) == {Consent.GIVEN}
    assert not OptOut.objects.exists()


def test_a_member_s_note_about_one_child_stops_no_other_child_s_messages(clinic: Clinic) -> None:
    who_stopped(a_patient(clinic, telegram_id=CHAT, caregiver="Maria"), source="member: Nora")
    ben = a_patient(clinic, telegram_id=CHAT, caregiver="Maria")

    migrate()

    ben.refresh_from_db()
    assert not OptOut.objects.exists()
    assert ben.consent == Consent.GIVEN


def test_a_note_may_hide_a_stop_where_nobody_else_is_written_to_in_the_chat(clinic: Clinic) -> None:
    """STOP after a note left no line in the history."""
    who_stopped(a_patient(clinic, telegram_id=CHAT), source="member: Nora")

    migrate()

    assert OptOut.objects.get().telegram_id == CHAT


def test_a_stop_that_came_before_a_new_start_is_over(clinic: Clinic) -> None:
    ana = a_patient(clinic, telegram_id=CHAT)
    consent.withdraw(clinic, CHAT, source="patient: /stop", now=NOW)
    consent.restore(clinic, CHAT, source="patient: /start", now=NOW + dt.timedelta(hours=1))

    migrate()

    assert not OptOut.objects.exists()
    assert consent.note(a_caller(clinic), ana, Consent.GIVEN, now=NOW).consent == Consent.GIVEN
