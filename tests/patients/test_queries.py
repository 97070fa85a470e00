"""Finding patients and cohorts, page by page, and why a patient can't be reached."""

import uuid

import pytest

from companion.clinics.refusals import Refused, Unknown
from companion.patients import queries
from companion.patients.models import Consent, Patient
from companion.patients.reach import unreachable_reason
from tests.builders import NOW, a_clinic, a_cohort, a_patient

pytestmark = pytest.mark.django_db


def names(patients: list[Patient]) -> list[str]:
    return [patient.name for patient in patients]


@pytest.mark.parametrize("q", ["jose", "JOSÉ", "nunez", "Núñez jos", "z-17", "  josé   núñez ", "ñez"])
def test_a_search_forgives_accents_case_order_and_spaces(q: str) -> None:
    clinic = a_clinic()
    a_patient(clinic, "José Núñez", external_id="Z-17")
    a_patient(clinic, "Ana Silva")

    assert names(list(queries.patients(clinic, q=q))) == ["José Núñez"]


@pytest.mark.parametrize("q", ["%", "_", "josé ana", "\\", "x" * 1000])
def test_a_search_takes_every_character_as_it_is(q: str) -> None:
    clinic = a_clinic()
    a_patient(clinic, "José Núñez")

    assert not queries.patients(clinic, q=q).exists()


@pytest.mark.parametrize("q", ["", "  ", "\0", "\ud800"])
def test_a_search_for_nothing_finds_all(q: str) -> None:
    clinic = a_clinic()
    a_patient(clinic)

    assert queries.patients(clinic, q=q).count() == 1


def test_another_clinic_s_patients_are_never_found() -> None:
    foreign = a_patient(a_clinic())
    clinic = a_clinic()

    assert not queries.patients(clinic).exists()
    with pytest.raises(Unknown):
        queries.patient(clinic, foreign.id)


def test_those_who_left_are_not_listed_but_still_known() -> None:
    clinic = a_clinic()
    gone = a_patient(clinic, left_at=NOW)

    assert not queries.patients(clinic).exists()
    assert queries.patient(clinic, str(gone.id)) == gone


@pytest.mark.parametrize("id", ["", "x", "\0", str(uuid.UUID(int=1))])
def test_an_id_of_nobody_is_unknown(id: str) -> None:
    with pytest.raises(Unknown):
        queries.patient(a_clinic(), id)


def test_a_cohort_is_found_by_id_and_by_name_and_says_its_size() -> None:
    clinic = a_clinic()
    cohort = a_cohort(clinic, "Diabetes", a_patient(clinic), a_patient(clinic), a_patient(clinic, left_at=NOW))

    assert queries.cohort(clinic, "Diabetes") == queries.cohort(clinic, str(cohort.id)) == cohort
    assert [(found.name, found.size) for found in queries.cohorts(clinic)] == [("Diabetes", 2)]


def test_patients_of_a_cohort_are_found_by_its_name() -> None:
    clinic = a_clinic()
    a_patient(clinic, "Bo")
    a_cohort(clinic, "Diabetes", a_patient(clinic, "Ana"))

    assert names(list(queries.patients(clinic, cohort="Diabetes"))) == ["Ana"]
    assert not queries.patients(clinic, cohort="Nobody's\0").exists()


def test_pages_give_every_patient_once_also_namesakes() -> None:
    clinic = a_clinic()
    for name in ["Bo", "Ana", "Ana", "Ana", "Cy", "Ana", "Bo"]:
        a_patient(clinic, name)
    found: list[Patient] = []
    cursor: str | None = None

    for _ in range(4):
        page = queries.page(queries.patients(clinic), cursor, 2)
        found, cursor = found + page.items, page.next

    assert cursor is None
    assert names(found) == ["Ana", "Ana", "Ana", "Ana", "Bo", "Bo", "Cy"]
    assert len({patient.id for patient in found}) == 7


def test_a_cursor_shows_no_name_and_can_t_be_made_up() -> None:
    clinic = a_clinic()
    for name in ["Anastasia", "Bo"]:
        a_patient(clinic, name)
    cursor = queries.page(queries.patients(clinic), None, 1).next

    assert cursor
    assert "Anastasia" not in cursor
    for wrong in ["", "x", "é", "A" * 200, cursor[:-6] + "AAAAAA", "\ud800"]:
        with pytest.raises(Refused):
            queries.page(queries.patients(clinic), wrong, 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, None),
        ({"consent": Consent.UNKNOWN}, None),
        ({"left_at": NOW}, "Has left"),
        ({"telegram_id": None}, "No Telegram ID"),
        ({"consent": Consent.WITHDRAWN}, "Opted out"),
        ({"consent": Consent.UNKNOWN, "consent_asked_at": NOW}, "Has not yet answered"),
        ({"trouble": "blocked"}, "Has blocked the bot"),
        ({"trouble": "deactivated"}, "account was deleted"),
        ({"trouble": "chat_not_found"}, "knows no chat"),
    ],
)
def test_the_sentence_and_the_query_agree_on_who_can_be_reached(fields: dict[str, object], words: str | None) -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, "Ana", **fields)

    reason = unreachable_reason(patient, clinic)

    assert (words in reason) if words and reason else reason is words
    if patient.left_at is None:
        assert queries.patients(clinic, reachable=False).exists() is bool(words)
        assert queries.patients(clinic, reachable=True).exists() is not bool(words)


def test_where_the_clinic_demands_consent_an_unknown_one_can_t_be_reached() -> None:
    clinic = a_clinic(consent_required=True)
    patient = a_patient(clinic, consent=Consent.UNKNOWN)

    assert "Has not agreed" in str(unreachable_reason(patient, clinic))
    assert queries.patients(clinic, reachable=False).exists()
