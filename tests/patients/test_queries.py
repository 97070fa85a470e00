"""Finding patients and cohorts, page by page, and why a patient can't be reached."""

import uuid

import pytest

from companion.clinics.refusals import Refused, Unknown
from companion.patients import queries
from companion.patients.models import Consent, Patient, Verified
from companion.patients.reach import Why, obstacle_of, telegram_check, unreachable_reason
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
        ({"left_at": NOW}, "has left"),
        ({"telegram_id": None}, "no Telegram ID"),
        ({"consent": Consent.WITHDRAWN}, "opted out"),
        ({"consent": Consent.UNKNOWN, "consent_asked_at": NOW}, "has not yet answered"),
        ({"trouble": "blocked"}, "has blocked the bot"),
        ({"trouble": "deactivated"}, "deleted their Telegram account"),
        ({"trouble": "chat_not_found"}, "no chat with the bot"),
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

    assert "has not agreed" in str(unreachable_reason(patient, clinic))
    assert queries.patients(clinic, reachable=False).exists()


@pytest.mark.parametrize(
    ("why", "fields"),
    [
        (Why.LEFT, {"left_at": NOW}),
        (Why.NO_TELEGRAM_ID, {"telegram_id": None}),
        (Why.OPTED_OUT, {"consent": Consent.WITHDRAWN}),
        (Why.NOT_ANSWERED, {"consent_asked_at": NOW, "consent": Consent.UNKNOWN}),
        (Why.BLOCKED, {"trouble": "blocked"}),
        (Why.DEACTIVATED, {"trouble": "deactivated"}),
        (Why.CHAT_NOT_FOUND, {"trouble": "chat_not_found"}),
    ],
)
def test_patients_who_can_t_be_reached_are_found_by_the_obstacle(why: Why, fields: dict[str, object]) -> None:
    clinic = a_clinic()
    a_patient(clinic)
    hindered = a_patient(clinic, "Bo", **fields)

    assert list(queries.patients(clinic, why=why)) == [hindered]
    obstacle = obstacle_of(hindered, clinic)
    assert obstacle
    assert obstacle.code is why


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({"telegram_id": None}, Verified.NOT_ASKED),
        ({"verified": "", "verified_id": None}, Verified.NOT_ASKED),
        ({"verified": "found", "verified_id": 7}, Verified.NOT_ASKED),
        ({"telegram_id": 7, "verified": "found", "verified_id": 7}, Verified.FOUND),
        ({"telegram_id": 7, "verified": "not_found", "verified_id": 7, "trouble": ""}, Verified.FOUND),
        ({"trouble": "chat_not_found"}, Verified.NOT_FOUND),
        ({"trouble": "blocked"}, Verified.BLOCKED),
    ],
)
def test_telegrams_last_refusal_of_a_chat_is_shown(fields: dict[str, object], check: Verified) -> None:
    assert telegram_check(a_patient(a_clinic(), "Ana", **fields)) is check


def test_a_cohort_s_size_leaves_out_who_left() -> None:
    clinic = a_clinic()
    a_cohort(clinic, "Heart", a_patient(clinic), a_patient(clinic), a_patient(clinic, left_at=NOW))
    a_cohort(clinic, "Empty")

    assert [(cohort.name, cohort.size) for cohort in queries.cohorts(clinic)] == [("Empty", 0), ("Heart", 2)]
