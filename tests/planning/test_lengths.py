"""A text that is too long for one of its recipients, once filled in, is refused when it is planned."""

import datetime as dt
from typing import Any

import pytest

from companion.clinics.models import Role
from companion.clinics.refusals import Refused
from companion.planning import acts
from companion.schedules.text import Reader, fill, longest_instant, most_units
from companion.telegram.limits import TEXT_UNITS, utf16_units
from tests.api.calls import a_program
from tests.builders import NOW, a_caller, a_clinic, a_cohort, a_message, a_patient, a_schedule
from tests.planning.plans import planned
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db

LONG_FIRST = "Wolfeschlegelsteinhausen"


def a_text(placeholder: str, units: int) -> str:
    """A text of so many units beside its placeholder."""
    return "." * units + placeholder


@pytest.mark.parametrize(
    ("name", "other", "placeholder", "units"),
    [
        # The longest name has not the longest first name.
        (f"{LONG_FIRST} S", "Bo Maximilian Hubertus von und zu Guttenberg", "{first_name}", len(LONG_FIRST)),
        # Telegram counts most emoji, and rare Han characters, as two.
        ("😀😀😀😀😀😀😀", "Benjamin", "{name}", 14),
        ("𠮷𠮷𠮷𠮷𠮷", "Benjamin", "{first_name}", 10),
    ],
)
@pytest.mark.parametrize("rule", [None, {"frequency": "daily"}])
def test_it_is_measured_for_each_recipient_as_telegram_measures_it(
    name: str, other: str, placeholder: str, units: int, rule: object
) -> None:
    clinic = a_clinic()
    people = [a_patient(clinic, name), a_patient(clinic, other)]

    planned(clinic, *people, text=a_text(placeholder, TEXT_UNITS - units), recurrence=rule)
    with pytest.raises(Refused) as refusal:
        planned(clinic, *people, text=a_text(placeholder, TEXT_UNITS - units + 1), recurrence=rule)

    assert [problem.field for problem in refusal.value.problems] == ["text"]
    assert refusal.value.problems[0].message.startswith("The text is 1 character too long")


def test_the_words_before_a_message_to_a_caregiver_count_for_that_patient_alone() -> None:
    clinic = a_clinic()
    child = a_patient(clinic, "Al Ek", caregiver="Eva Ek")
    tall = a_patient(clinic, f"{LONG_FIRST} Ek")
    fits = TEXT_UNITS - len("For Al: ")

    planned(clinic, child, tall, text="." * fits)
    with pytest.raises(Refused):
        planned(clinic, child, tall, text="." * (fits + 1))


def test_a_series_has_room_for_the_longest_date_in_each_recipient_s_language() -> None:
    clinic = a_clinic()
    people = [a_patient(clinic, language="en"), a_patient(clinic, language="de")]
    fits = TEXT_UNITS - len("September 28, 2028")

    planned(clinic, *people, text=a_text("{date}", fits))
    with pytest.raises(Refused):
        planned(clinic, *people, text=a_text("{date}", fits + 1))


def test_a_single_message_is_measured_with_its_own_date_in_each_zone() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, language="en")
    fits = TEXT_UNITS - len("December 2, 2026")

    planned(clinic, patient, text=a_text("{date}", fits), recurrence=None)
    with pytest.raises(Refused):
        planned(clinic, patient, text=a_text("{date}", fits + 1), recurrence=None)


@pytest.mark.parametrize(
    ("starts_at", "zone", "moves"),
    [
        ("2026-12-09T22:30", "patient", {"quiet_hours": "wait"}),
        # 14:30 in Berlin is 22:30 in Tokyo.
        ("2026-12-09T14:30", "Europe/Berlin", {"quiet_hours": "wait"}),
        # From Saturday, 5 December over the closed 7th to 9th.
        ("2026-12-05T10:00", "patient", {"avoid": {"weekends": True, "closed_days": True}, "when_avoided": "next"}),
        # Both: late on Sunday, the 6th.
        (
            "2026-12-06T22:30",
            "patient",
            {"avoid": {"closed_days": True}, "when_avoided": "next", "quiet_hours": "wait"},
        ),
    ],
)
def test_a_single_message_is_measured_with_the_date_on_which_it_really_leaves(
    starts_at: str, zone: str, moves: dict[str, object]
) -> None:
    clinic = a_clinic(closed_days=["2026-12-07", "2026-12-08", "2026-12-09"])
    patient = a_patient(clinic, language="en", timezone="Asia/Tokyo")
    fits = TEXT_UNITS - len("December 10, 2026")
    once: dict[str, Any] = {"starts_at": starts_at, "timezone": zone, "recurrence": None, **moves}

    planned(clinic, patient, text=a_text("{date}", fits), **once)
    with pytest.raises(Refused) as refusal:
        planned(clinic, patient, text=a_text("{date}", fits + 1), **once)

    assert [problem.field for problem in refusal.value.problems] == ["text"]


@pytest.mark.parametrize("avoid", [{"closed_days": True}, {"weekends": True, "closed_days": True}])
def test_quiet_hours_that_end_on_an_avoided_day_of_the_patient_s_own_are_foreseen(avoid: dict[str, bool]) -> None:
    # 15:30 on Tuesday in Berlin is 23:30 in Tokyo: quiet hours end there on the closed Wednesday, the 9th.
    clinic = a_clinic(closed_days=["2026-12-09"])
    patient = a_patient(clinic, language="en", timezone="Asia/Tokyo")
    once: dict[str, Any] = {"starts_at": "2026-12-08T15:30", "timezone": "Europe/Berlin", "recurrence": None}
    once |= {"quiet_hours": "wait", "avoid": avoid, "when_avoided": "next"}
    fits = TEXT_UNITS - len("December 10, 2026")

    planned(clinic, patient, text=a_text("{date}", fits), **once)
    with pytest.raises(Refused):
        planned(clinic, patient, text=a_text("{date}", fits + 1), **once)


def test_a_message_that_waits_for_the_end_of_quiet_hours_is_measured_with_the_next_day_s_date() -> None:
    clinic = a_clinic()
    message = a_message(
        a_patient(clinic), text=a_text("{date}", TEXT_UNITS - len("December 9, 2026")), quiet_hours="wait"
    )

    acts.edit(a_caller(clinic), message, now=NOW, send_at=dt.datetime(2026, 12, 9, 12, tzinfo=dt.UTC))
    with pytest.raises(Refused):
        acts.edit(a_caller(clinic), message, now=NOW, send_at=dt.datetime(2026, 12, 9, 22, tzinfo=dt.UTC))


def test_the_api_and_the_form_foresee_a_longer_date_after_quiet_hours() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, language="en")
    text = a_text("{date}", TEXT_UNITS - len("December 9, 2090"))
    client, program = signed_in(clinic), a_program(clinic, Role.PROVIDER)
    body = {"patients": [str(patient.id)], "text": text, "starts_at": "2090-12-09T22:30", "timezone": "patient"}
    form = typed(patient, text=text, date="2090-12-09", time="22:30")

    answer = program.post("/schedules", {**body, "quiet_hours": "wait"})
    shown = client.post("/scheduled-messages/new", {**form, "quiet_hours": "wait"})

    assert (answer.status, answer.wrong_fields) == (422, ["text"])
    assert shown.status_code == 422
    assert "1 character too long once filled in" in words(shown)
    assert program.post("/schedules", {**body, "quiet_hours": "ignore"}).status == 201


def test_a_cohort_s_patients_count_and_those_who_left_do_not() -> None:
    clinic = a_clinic()
    here, left = a_patient(clinic, "Bo"), a_patient(clinic, LONG_FIRST, left_at=NOW)
    cohort = str(a_cohort(clinic, "", here, left).id)

    planned(clinic, cohort=cohort, text=a_text("{name}", TEXT_UNITS - 2))
    with pytest.raises(Refused):
        planned(clinic, cohort=cohort, text=a_text("{name}", TEXT_UNITS - 1))


def test_a_text_for_a_cohort_that_has_nobody_yet_fits_a_message_at_least() -> None:
    clinic = a_clinic()
    cohort = str(a_cohort(clinic).id)

    planned(clinic, cohort=cohort, text="." * TEXT_UNITS)
    with pytest.raises(Refused):
        planned(clinic, cohort=cohort, text="." * (TEXT_UNITS + 1))


def test_room_is_kept_for_a_reminder_of_an_answer_also_when_one_message_is_edited() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic)
    message = a_message(patient, a_schedule(clinic, patient, answer_within=dt.timedelta(hours=1)))
    fits = TEXT_UNITS - 120

    planned(clinic, patient, text="." * fits, answer_within="PT1H")
    acts.edit(a_caller(clinic), message, now=NOW, new_text="." * fits)

    with pytest.raises(Refused):
        planned(clinic, patient, text="." * (fits + 1), answer_within="PT1H")
    with pytest.raises(Refused):
        acts.edit(a_caller(clinic), message, now=NOW, new_text="." * (fits + 1))


def test_a_message_moved_to_a_day_with_a_longer_date_is_measured_anew() -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), text=a_text("{date}", TEXT_UNITS - len("December 2, 2026")))

    with pytest.raises(Refused):
        acts.edit(a_caller(clinic), message, now=NOW, send_at=NOW + dt.timedelta(days=15))


@pytest.mark.parametrize("text", ["{name}" * 300, "{first_name} {date} {time} {clinic}", "{{name} {name}", "x"])
@pytest.mark.parametrize("name", ["Ana", "😀" * 100, "A B", LONG_FIRST])
@pytest.mark.parametrize("language", ["en", "de", "ta", "my", "vi", "ar", "x-private"])
def test_the_bound_that_spares_filling_in_is_never_too_low(text: str, name: str, language: str) -> None:
    filled = fill(text, Reader(name, "Linden", language, "UTC", caregiver=True), longest_instant(language))

    assert utf16_units(filled) <= most_units(text, clinic_name="Linden", name_characters=len(name))


def test_the_api_and_the_forms_refuse_it_beside_its_field() -> None:
    clinic = a_clinic()
    patient = a_patient(clinic, "😀😀")
    text = a_text("{name}", TEXT_UNITS - 3)
    client, program = signed_in(clinic), a_program(clinic, Role.PROVIDER)

    answer = program.post("/messages", {"patient": str(patient.id), "text": text})
    shown = client.post("/scheduled-messages/new", typed(patient, text=text))

    assert (answer.status, answer.wrong_fields) == (422, ["text"])
    assert shown.status_code == 422
    assert "1 character too long once filled in" in words(shown)
