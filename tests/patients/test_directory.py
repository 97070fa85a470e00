"""Adding and changing patients one at a time, and making cohorts."""

import datetime as dt

import pytest

from companion.clinics.access import NotAllowed
from companion.clinics.models import AuditEntry, Mark, Role
from companion.clinics.refusals import Refused
from companion.patients import cohorts, directory
from companion.patients.models import Cohort, Consent, ConsentChange, Patient
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_patient

pytestmark = pytest.mark.django_db


def refused_fields(refusal: pytest.ExceptionInfo[Refused]) -> set[str]:
    return {problem.field for problem in refusal.value.problems}


def test_a_patient_is_added_with_the_clinic_s_zone_and_language() -> None:
    clinic = a_clinic(timezone="Asia/Kathmandu", language="ne")

    added = directory.add(a_caller(clinic), {"external_id": " P-1 ", "name": "Ana"}, now=NOW)

    assert (added.external_id, added.timezone, added.language, added.consent) == (
        "P-1",
        "Asia/Kathmandu",
        "ne",
        Consent.UNKNOWN,
    )


def test_every_wrong_field_is_named_at_once() -> None:
    caller = a_caller(a_clinic())
    values = {
        "external_id": "",
        "name": 7,
        "telegram_id": True,
        "birth_date": "0001-01-01",
        "timezone": "Mars/Olympus",
        "language": "und",
        "cohorts": "A",
        "nickname": "Annie",
    }

    with pytest.raises(Refused) as refusal:
        directory.add(caller, values, now=NOW)

    assert refused_fields(refusal) == set(values)
    assert "Annie" not in str(refusal.value)


@pytest.mark.parametrize("name", ["\0", "A\nB", "\ud800", "x\u2028y", "x" * 201, "   "])
def test_a_name_that_can_t_be_stored_or_shown_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        directory.add(a_caller(a_clinic()), {"external_id": "P-1", "name": name}, now=NOW)


def test_fields_that_are_not_named_stay_and_null_empties_a_field() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, phone="123", birth_date=dt.date(1980, 12, 24), caregiver="Maria")

    changed = directory.change(a_caller(clinic), patient, {"birth_date": None, "caregiver": None}, now=NOW)

    assert (changed.phone, changed.birth_date, changed.caregiver) == ("123", None, "")


def test_an_external_id_of_another_patient_is_refused() -> None:
    clinic = a_clinic()
    a_patient(clinic, external_id="P-1")

    with pytest.raises(Refused) as refusal:
        directory.add(a_caller(clinic), {"external_id": "P-1", "name": "Bo"}, now=NOW)

    assert refused_fields(refusal) == {"external_id"}


def test_a_telegram_id_of_another_patient_is_refused_unless_a_caregiver_is_named() -> None:
    clinic = a_clinic()
    a_patient(clinic, telegram_id=5000000001)
    values = {"external_id": "P-2", "name": "Bo", "telegram_id": 5000000001}

    with pytest.raises(Refused) as refusal:
        directory.add(a_caller(clinic), values, now=NOW)

    assert refused_fields(refusal) == {"telegram_id"}
    assert directory.add(a_caller(clinic), {**values, "caregiver": "Maria"}, now=NOW).telegram_id == 5000000001


def test_a_caregiver_can_t_be_taken_away_while_the_chat_is_another_s() -> None:
    clinic = a_clinic()
    a_patient(clinic, telegram_id=5000000001)
    child = a_patient(clinic, telegram_id=5000000001, caregiver="Maria")

    with pytest.raises(Refused) as refusal:
        directory.change(a_caller(clinic), child, {"caregiver": ""}, now=NOW)

    assert refused_fields(refusal) == {"telegram_id"}


def test_another_telegram_id_sets_a_given_consent_back() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, consent=Consent.GIVEN)

    changed = directory.change(a_caller(clinic), patient, {"telegram_id": 5999999999}, now=NOW)

    assert changed.consent == Consent.UNKNOWN
    assert ConsentChange.objects.get(patient=patient).source == "member: Nora Provider"


def test_the_same_telegram_id_leaves_the_consent() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, consent=Consent.GIVEN)

    changed = directory.change(a_caller(clinic), patient, {"telegram_id": str(patient.telegram_id)}, now=NOW)

    assert changed.consent == Consent.GIVEN


@pytest.mark.parametrize(
    ("values", "marked"),
    [
        ({"timezone": "Asia/Tokyo"}, True),
        ({"cohorts": ["B"]}, True),
        ({"cohorts": []}, True),
        ({"cohorts": ["A"]}, False),
        ({"phone": "12", "name": "Ana Lima"}, False),
    ],
)
def test_a_mark_is_left_just_where_plans_may_change(values: dict[str, object], marked: bool) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    a_cohort(clinic, "A", patient)

    directory.change(a_caller(clinic), patient, values, now=NOW)

    assert Mark.objects.filter(clinic=clinic, subject_id=patient.id).exists() is marked


def test_a_cohort_that_a_patient_names_is_made_on_first_use() -> None:
    clinic = a_clinic()
    a_cohort(clinic, "A")

    added = directory.add(a_caller(clinic), {"external_id": "P", "name": "Ana", "cohorts": ["A", "B"]}, now=NOW)

    assert sorted(added.cohorts.values_list("name", flat=True)) == ["A", "B"]
    assert Cohort.objects.filter(clinic=clinic).count() == 2


def test_a_cohort_s_name_is_taken_once() -> None:
    caller = a_caller(a_clinic())
    cohorts.add(caller, " Diabetes ", now=NOW)

    with pytest.raises(Refused):
        cohorts.add(caller, "Diabetes", now=NOW)


@pytest.mark.parametrize("name", ["", "A|B", "x" * 101, "a\tb"])
def test_a_cohort_s_name_can_stand_in_a_cell(name: str) -> None:
    with pytest.raises(Refused):
        cohorts.add(a_caller(a_clinic()), name, now=NOW)


def test_a_patient_of_another_clinic_can_t_be_changed() -> None:
    foreign = a_patient(a_clinic())

    with pytest.raises(Patient.DoesNotExist):
        directory.change(a_caller(a_clinic()), foreign, {"name": "X"}, now=NOW)


def test_a_viewer_changes_nothing() -> None:
    clinic = a_clinic()
    viewer = a_caller(clinic, Role.VIEWER)

    with pytest.raises(NotAllowed):
        directory.change(viewer, a_patient(clinic), {"name": "X"}, now=NOW)


def test_acts_stand_in_the_audit_trail_without_names() -> None:
    clinic = a_clinic()

    patient = directory.add(a_caller(clinic), {"external_id": "P-1", "name": "Ana"}, now=NOW)
    directory.change(a_caller(clinic), patient, {"name": "Ana Lima"}, now=NOW)

    entries = AuditEntry.objects.filter(clinic=clinic, subject_id=patient.id).order_by("id")
    assert [entry.action for entry in entries] == ["patient added", "patient changed"]


@pytest.mark.parametrize("phone", ["+49 171 2345678", "0049 171 2345678", "49171/2345678"])
def test_a_telegram_id_that_is_the_patient_s_phone_number_is_named_as_that(phone: str) -> None:
    caller = a_caller(a_clinic())
    values = {"external_id": "P-1", "name": "Ana", "phone": phone, "telegram_id": 491712345678}

    with pytest.raises(Refused) as refusal:
        directory.add(caller, values, now=NOW)

    assert "phone number" in refusal.value.problems[0].message


def test_the_clinic_s_own_bot_is_no_patient() -> None:
    clinic = a_clinic()
    bot = a_bot(clinic)

    with pytest.raises(Refused) as refusal:
        directory.add(a_caller(clinic), {"external_id": "P-1", "name": "A", "telegram_id": bot.telegram_id}, now=NOW)

    assert "your own bot" in refusal.value.problems[0].message
