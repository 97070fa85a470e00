"""Planning by the form: the form loses nothing that a person typed, and plans what it showed."""

import datetime as dt

import pytest

from companion.clinics.models import Role
from companion.planning import drafts
from companion.schedules.models import Message, Schedule, State
from tests.builders import a_clinic, a_cohort, a_patient
from tests.web.signed_in import signed_in, typed, words

pytestmark = pytest.mark.django_db


def test_a_message_is_planned_once() -> None:
    clinic = a_clinic()
    ana = a_patient(clinic)

    shown = words(signed_in(clinic).post("/scheduled-messages/new", typed(ana), follow=True))

    assert "Planned. 1 message is on the list." in shown
    assert Message.objects.get().patient == ana


def test_a_single_later_message_has_a_page_and_can_be_found_and_stopped() -> None:
    clinic = a_clinic()
    client = signed_in(clinic)
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=20)

    planned = client.post("/scheduled-messages/new", typed(a_patient(clinic), date=day.isoformat()), follow=True)
    [schedule] = Schedule.objects.all()

    assert "Each message is made two days before it is due." in words(planned)
    assert "Once, on" in words(planned)
    assert "Once, on" in words(client.get("/scheduled-messages/series?state=once"))
    assert "Ana Silva" in words(client.get(f"/scheduled-messages?day={day.isoformat()}"))
    stopped = words(client.post(f"/scheduled-messages/series/{schedule.id}/cancel", follow=True))
    assert "The message won't be sent." in stopped
    assert "No single messages are planned" in words(client.get("/scheduled-messages/series?state=once"))


def test_a_patient_on_pause_gets_nothing_and_the_page_does_not_say_otherwise() -> None:
    clinic = a_clinic()
    until = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
    ana = a_patient(clinic, paused_until=until, paused_reason="in hospital")

    shown = words(signed_in(clinic).post("/scheduled-messages/new", typed(ana), follow=True))

    assert "at present nobody gets a message in the next two days" in shown
    assert (
        f"Ana Silva is on pause until {until.day} {until:%B %Y} (in hospital): nothing goes out before that day."
        in shown
    )


def test_the_form_opens_with_a_time_two_minutes_ahead_in_the_clinics_zone() -> None:
    answer = signed_in(a_clinic(timezone="Asia/Kathmandu")).get("/scheduled-messages/new")

    opened = answer.context["typed"]
    assert (opened.zone, opened.zone_name) == ("named", "Asia/Kathmandu")
    offset = dt.timedelta(hours=5, minutes=45)
    wall = dt.datetime.fromisoformat(f"{opened.date}T{opened.time}").replace(tzinfo=dt.timezone(offset))
    assert dt.timedelta(0) < wall - dt.datetime.now(dt.UTC) <= dt.timedelta(minutes=2)


def test_a_series_goes_to_its_own_page_with_its_author() -> None:
    clinic = a_clinic()
    values = typed(a_patient(clinic), repeat="weekly", weekdays=["mo", "th"], interval="2")

    shown = words(signed_in(clinic).post("/scheduled-messages/new", values, follow=True))

    assert "Every second week on Monday and Thursday at 09:00" in shown
    assert "Made by" in shown


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"repeat": "daily", "also_at": "20:00, 14:00"}, "Every day at 09:00, 14:00 and 20:00"),
        (
            {"repeat": "monthly", "monthly_on": "weekday", "nth": "-1", "nth_day": "mo-fr"},
            "On the last weekday of every month at 09:00",
        ),
        (
            {"repeat": "monthly", "monthly_on": "days", "month_days": "1, 15"},
            "On the 1st and the 15th of every month at 09:00",
        ),
    ],
)
def test_the_form_plans_what_the_rules_can_say(fields: dict[str, str], sentence: str) -> None:
    clinic = a_clinic()

    shown = words(signed_in(clinic).post("/scheduled-messages/new", typed(a_patient(clinic), **fields), follow=True))

    assert sentence in shown


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"also_at": "noon"}, "repeat"),
        ({"repeat": "monthly", "monthly_on": "days", "month_days": "1, 40"}, "repeat"),
        ({"repeat": "monthly", "month_end": "never"}, "repeat"),
        ({"review_on": ""}, "ends"),
    ],
)
def test_a_series_that_can_not_be_is_refused_beside_its_field(fields: dict[str, str], part: str) -> None:
    clinic = a_clinic()
    values = typed(a_patient(clinic), **({"repeat": "daily"} | fields))

    answer = signed_in(clinic).post("/scheduled-messages/new", values)

    assert (answer.status_code, list(answer.context["errors"])) == (422, [part])


def test_a_series_with_an_end_needs_no_day_to_be_looked_at_again() -> None:
    clinic = a_clinic()
    values = typed(a_patient(clinic), repeat="daily", ends="after", count="3", review_on="")

    signed_in(clinic).post("/scheduled-messages/new", values)

    assert Schedule.objects.get().review_on is None


def test_a_cohort_is_planned_for() -> None:
    clinic = a_clinic()
    cohort = a_cohort(clinic, "Diabetes", a_patient(clinic), a_patient(clinic))

    signed_in(clinic).post("/scheduled-messages/new", typed(to="cohort", cohort=str(cohort.id)))

    assert Message.objects.count() == 2


def test_a_refusal_stands_beside_its_field_and_nothing_typed_is_lost() -> None:
    clinic = a_clinic()
    ana = a_patient(clinic)
    values = typed(
        ana, text="Dear {nurse}", time="09:17", repeat="monthly", monthly_on="weekday", nth="2", nth_day="tu"
    )

    answer = signed_in(clinic).post("/scheduled-messages/new", values)

    assert answer.status_code == 422
    assert list(answer.context["errors"]) == ["text"]
    kept = answer.context["typed"]
    assert (kept.text, kept.time, kept.repeat, kept.nth, kept.nth_day) == (
        "Dear {nurse}",
        "09:17",
        "monthly",
        "2",
        "tu",
    )
    assert kept.patients == (str(ana.id),)
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("date", "", "when"),
        ("time", "25:00", "when"),
        ("zone_name", "Berlin", "zone"),
        ("text", "", "text"),
        ("late_after", "PT9999H", "more"),
    ],
)
def test_each_wrong_value_is_named_where_it_was_typed(field: str, value: str, part: str) -> None:
    clinic = a_clinic()

    answer = signed_in(clinic).post("/scheduled-messages/new", typed(a_patient(clinic), **{field: value}))

    assert part in answer.context["errors"]


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"interval": "many"}, "repeat"),
        ({"interval": "-3"}, "repeat"),
        ({"ends": "on", "until": ""}, "ends"),
        ({"ends": "after", "count": "0"}, "ends"),
        ({"review_on": "someday"}, "ends"),
    ],
)
def test_each_wrong_rule_is_named_where_it_was_typed(fields: dict[str, str], part: str) -> None:
    clinic = a_clinic()
    values = typed(a_patient(clinic), **{"repeat": "daily"} | fields)

    answer = signed_in(clinic).post("/scheduled-messages/new", values)

    assert answer.status_code == 422
    assert part in answer.context["errors"]


def test_nobody_chosen_is_said_where_one_chooses() -> None:
    answer = signed_in(a_clinic()).post("/scheduled-messages/new", typed())

    assert "recipients" in answer.context["errors"]


def test_another_clinics_patient_can_not_be_chosen() -> None:
    answer = signed_in(a_clinic()).post("/scheduled-messages/new", typed(a_patient(a_clinic())))

    assert answer.status_code == 422
    assert not Message.objects.exists()


def test_the_picker_tells_namesakes_apart_and_keeps_the_chosen() -> None:
    clinic = a_clinic()
    chosen = a_patient(clinic, "Jonas Weber")
    a_patient(clinic, birth_date=dt.date(1940, 1, 10), external_id="P-1")
    a_patient(clinic, birth_date=dt.date(1943, 2, 11), external_id="P-2")

    answer = signed_in(clinic).post("/scheduled-messages/new/recipients", typed(chosen, find="ana"))

    shown = words(answer)
    assert "born 10 Jan 1940, id P-1" in shown
    assert "born 11 Feb 1943, id P-2" in shown
    assert [choice.chosen for choice in answer.context["choices"]] == [True, False, False]


def test_without_javascript_finding_keeps_the_form() -> None:
    clinic = a_clinic()
    a_patient(clinic)

    answer = signed_in(clinic).post("/scheduled-messages/new", typed(find="ana", do="find", text="Half a sen"))

    assert answer.status_code == 200
    assert "Half a sen" in words(answer)
    assert "Ana Silva" in words(answer)
    assert not answer.context["errors"]


def test_the_preview_shows_five_instants_and_the_text_as_the_patient_gets_it() -> None:
    clinic = a_clinic()
    values = typed(a_patient(clinic), repeat="daily")

    answer = signed_in(clinic).post("/scheduled-messages/new/preview", values)

    assert len(answer.context["preview"].occurrences) == 5
    assert "Take your tablet, Ana." in words(answer)
    assert not Schedule.objects.exists()


def test_the_preview_shows_each_zones_own_wall_time() -> None:
    clinic = a_clinic()
    values = typed(a_patient(clinic, timezone="Asia/Kathmandu"), zone="patient", time="09:10")

    shown = words(signed_in(clinic).post("/scheduled-messages/new/preview", values))

    assert ", 09:10 Kathmandu" in shown


def test_the_preview_warns_of_who_can_not_be_reached() -> None:
    clinic = a_clinic()

    shown = words(signed_in(clinic).post("/scheduled-messages/new/preview", typed(a_patient(clinic, telegram_id=None))))

    assert "Ana Silva has no Telegram ID" in shown


def test_many_who_can_not_be_reached_are_named_up_to_twenty_and_then_counted() -> None:
    clinic = a_clinic()
    many = [a_patient(clinic, f"Patient {number:02}", telegram_id=None) for number in range(22)]

    shown = words(signed_in(clinic).post("/scheduled-messages/new/preview", typed(*many)))

    assert "Patient 19 has no Telegram ID. Hand out an enrolment link." in shown
    assert "2 more have no Telegram ID. For each: hand out an enrolment link." in shown


def test_an_unfinished_form_is_previewed_without_alarm() -> None:
    answer = signed_in(a_clinic()).post("/scheduled-messages/new/preview", typed(text=""))

    assert answer.status_code == 200
    assert "Choose who gets it. Write the text." in words(answer)


def _a_series(**fields: object) -> Schedule:
    clinic = a_clinic()
    signed_in(clinic).post("/scheduled-messages/new", typed(a_patient(clinic), **{"repeat": "daily"} | fields))
    return Schedule.objects.get()


def test_a_series_is_paused_and_resumed() -> None:
    series = _a_series()
    client = signed_in(series.clinic)

    assert "Paused" in words(client.post(f"/scheduled-messages/series/{series.id}/pause", follow=True))
    series.refresh_from_db()
    assert series.state == State.PAUSED
    client.post(f"/scheduled-messages/series/{series.id}/resume")
    series.refresh_from_db()
    assert series.state == State.ACTIVE


def test_a_series_is_ended() -> None:
    series = _a_series()

    signed_in(series.clinic).post(f"/scheduled-messages/series/{series.id}/cancel")

    series.refresh_from_db()
    assert series.state == State.CANCELLED


def test_one_occurrence_is_skipped_from_the_page_that_lists_it() -> None:
    series = _a_series()
    client = signed_in(series.clinic)
    second = client.get(f"/scheduled-messages/series/{series.id}").context["upcoming"][1].occurrence

    client.post(f"/scheduled-messages/series/{series.id}/skip", {"occurrence": second})

    shown = client.get(f"/scheduled-messages/series/{series.id}").context["upcoming"]
    assert second not in [occurrence.occurrence for occurrence in shown]


def test_a_viewer_reads_a_series_and_can_not_pause_it() -> None:
    series = _a_series()
    client = signed_in(series.clinic, Role.VIEWER)

    assert "Pause" not in words(client.get(f"/scheduled-messages/series/{series.id}"))
    assert client.post(f"/scheduled-messages/series/{series.id}/pause").status_code == 403


def test_an_edited_series_keeps_its_skipped_occurrences() -> None:
    series = _a_series()
    client = signed_in(series.clinic)
    second = client.get(f"/scheduled-messages/series/{series.id}").context["upcoming"][1].occurrence
    client.post(f"/scheduled-messages/series/{series.id}/skip", {"occurrence": second})
    patient = series.recipients.get()

    values = typed(patient, repeat="daily", text="Another text.")
    client.post(f"/scheduled-messages/series/{series.id}/edit", values)

    series.refresh_from_db()
    draft = drafts.of(series)
    assert draft.text == "Another text."
    assert draft.timing.recurrence is not None
    assert [exception.isoformat()[:16] for exception in draft.timing.recurrence.except_] == [second]


def test_the_preview_says_a_wall_time_once_for_all_zones_that_share_it() -> None:
    clinic = a_clinic()
    people = [
        a_patient(clinic, timezone=zone) for zone in ("Europe/Lisbon", "Africa/Cairo", "Asia/Tokyo", "Asia/Dubai")
    ]

    answer = signed_in(clinic).post(
        "/scheduled-messages/new", typed(*people, zone="patient", repeat="daily", do="preview")
    )

    assert [len(line.zones) for line in answer.context["goes_out"]][:4] == [4, 4, 4, 4]
    assert "Tokyo, Dubai and 2 more" in words(answer)
