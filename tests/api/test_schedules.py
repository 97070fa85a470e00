"""Schedules as programs plan, preview, change and read them."""

import datetime as dt
import uuid

import pytest

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.schedules.models import Schedule
from tests.api.calls import Json, Program, a_daily_schedule
from tests.builders import NOW, a_clinic, a_cohort, a_patient, a_schedule


def planned(clinic: Clinic, api: Program, **fields: Json) -> Json:
    answer = api.post("/schedules", a_daily_schedule(a_patient(clinic), **fields))
    assert answer.status == 201, answer.text
    return answer.json


def test_a_planned_schedule_reads_back_with_every_default_named(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)

    answer = api.post("/schedules", a_daily_schedule(patient))

    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/scheduler/schedules/{answer.json['id']}"
    schedule = api.get(f"/schedules/{answer.json['id']}").json
    assert schedule["recurrence"].pop("frequency") == "daily"
    assert schedule.pop("summary").startswith("Every day at 09:00")
    del schedule["id"], schedule["created_at"], schedule["created_by"], schedule["recurrence"]
    assert schedule == {
        "state": "active",
        "text": "Good morning {first_name}.",
        "patients": [str(patient.id)],
        "cohort": None,
        "starts_at": "2035-12-01T09:00",
        "timezone": "Europe/Berlin",
        "late_after": "PT1H",
        "quiet_hours": "ignore",
        "if_unknown": "hold",
        "lane": "reminder",
        "avoid": {"weekends": False, "holidays": False, "closed_days": False},
        "when_avoided": "skip",
        "buttons": None,
        "answer_within": None,
        "review_on": "2036-05-31",
        "next": [f"2035-12-0{day}T08:00:00Z" for day in range(1, 6)],
    }


def test_a_schedule_that_avoids_weekends_says_so_and_shows_what_it_moves(clinic: Clinic, api: Program) -> None:
    body = a_daily_schedule(
        a_patient(clinic), avoid={"weekends": True}, when_avoided="next", starts_at="2035-12-01T09:00"
    )
    body["recurrence"] = {"frequency": "weekly"}

    made = api.post("/schedules", body).json
    preview = api.post("/schedules/preview", body).json

    assert made["avoid"] == {"weekends": True, "holidays": False, "closed_days": False}
    assert made["summary"].endswith("on the next working day instead of weekends")
    first = preview["occurrences"][0]
    assert (first["local"], first["moved"]) == ("2035-12-03T09:00:00+01:00", "working_day")


def test_christmas_moves_past_the_weekend_after_it(clinic: Clinic, api: Program) -> None:
    Clinic.objects.filter(pk=clinic.pk).update(country="DE")
    body = a_daily_schedule(a_patient(clinic), avoid={"holidays": True}, when_avoided="next")

    # A Friday before a holiday and a Sunday: the schedule avoids neither holidays nor Sundays.
    once = api.post("/schedules/preview", body | {"starts_at": "2037-12-25T09:00", "recurrence": None}).json

    assert [occurrence["local"] for occurrence in once["occurrences"]] == ["2037-12-28T09:00:00+01:00"]


def test_an_unknown_kind_of_day_can_not_be_avoided(clinic: Clinic, api: Program) -> None:
    answer = api.post("/schedules", a_daily_schedule(a_patient(clinic), avoid={"mondays": True}))

    assert (answer.status, answer.wrong_fields) == (422, ["avoid.mondays"])


def test_a_schedule_tells_who_made_it(clinic: Clinic, api: Program) -> None:
    author = planned(clinic, api)["created_by"]

    assert (author["kind"], author["name"].startswith("program")) == ("key", True)


def test_a_broadcast_waits_in_quiet_hours_and_is_good_for_half_a_day(clinic: Clinic, api: Program) -> None:
    schedule = planned(clinic, api, lane="broadcast")

    assert (schedule["quiet_hours"], schedule["late_after"]) == ("wait", "PT12H")


def test_a_rule_comes_back_as_it_was_given(clinic: Clinic, api: Program) -> None:
    rule = {
        "frequency": "monthly",
        "interval": 2,
        "weekdays": ["2tu", "-1fr"],
        "month_days": [],
        "month_end": "skip",
        "set_position": None,
        "times": ["08:00", "20:30"],
        "except": ["2036-02-12"],
        "until": "2037-03-01",
        "count": None,
    }

    assert planned(clinic, api, recurrence=rule)["recurrence"] == rule


def test_a_schedule_for_a_cohort_names_it_and_no_patients(clinic: Clinic, api: Program) -> None:
    cohort = a_cohort(clinic, "Diabetes", a_patient(clinic))

    schedule = planned(clinic, api, patients=None, cohort=str(cohort.id))

    assert (schedule["cohort"], schedule["patients"]) == (str(cohort.id), None)


def test_an_unreachable_patient_is_accepted_with_a_warning(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic, telegram_id=None)

    answer = api.post("/schedules", a_daily_schedule(patient))

    assert answer.status == 201
    assert [(warning["patient"], warning["code"]) for warning in answer.json["warnings"]] == [
        (str(patient.id), "no_telegram_id")
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"patients": []}, "patients"),
        ({"patients": [str(uuid.uuid4())]}, "patients.0"),
        ({"patients": None, "cohort": str(uuid.uuid4())}, "cohort"),
        ({"text": "{nobody}"}, "text"),
        ({"starts_at": "2035-12-01T09:00+01:00"}, "starts_at"),
        ({"starts_at": "2020-12-01T09:00", "recurrence": None}, "starts_at"),
        ({"timezone": "Berlin"}, "timezone"),
        ({"recurrence": {"frequency": "hourly"}}, "recurrence.frequency"),
        ({"recurrence": {"frequency": "daily", "interval": 1001}}, "recurrence.interval"),
        ({"recurrence": {"frequency": "weekly", "weekdays": ["monday"]}}, "recurrence.weekdays"),
        ({"recurrence": {"frequency": "daily", "every": 2}}, "recurrence.every"),
        ({"late_after": "an hour"}, "late_after"),
        ({"quiet_hours": "maybe"}, "quiet_hours"),
        ({"if_unknown": "twice"}, "if_unknown"),
        ({"lane": "answer"}, "lane"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(clinic: Clinic, api: Program, fields: Json, field: str) -> None:
    answer = api.post("/schedules", a_daily_schedule(a_patient(clinic), **fields))

    assert (answer.status, answer.wrong_fields) == (422, [field])


def test_a_refused_schedule_leaves_nothing_behind(clinic: Clinic, api: Program) -> None:
    api.post("/schedules", a_daily_schedule(a_patient(clinic), text="{nobody}"))

    assert not Schedule.objects.filter(clinic=clinic).exists()


def test_a_preview_shows_instants_and_texts_and_stores_nothing(clinic: Clinic, api: Program) -> None:
    patient = a_patient(clinic)

    answer = api.post("/schedules/preview?count=2", a_daily_schedule(patient))

    assert answer.status == 200
    assert answer.json["occurrences"][0] == {
        "timezone": "Europe/Berlin",
        "due_at": "2035-12-01T08:00:00Z",
        "local": "2035-12-01T09:00:00+01:00",
        "moved": None,
    }
    assert len(answer.json["occurrences"]) == 2
    assert answer.json["texts"] == [{"patient": str(patient.id), "text": "Good morning Ana."}]
    assert not Schedule.objects.filter(clinic=clinic).exists()


def test_a_preview_tells_the_days_of_the_year_ahead_and_which_were_moved(clinic: Clinic, api: Program) -> None:
    soon = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=40)
    monthly = {"frequency": "monthly", "month_days": [31], "count": 3}
    body = a_daily_schedule(a_patient(clinic), starts_at=f"{soon:%Y-%m}-01T09:00", recurrence=monthly)

    year = api.post("/schedules/preview", body).json["year"]

    assert year["timezone"] == "Europe/Berlin"
    assert [dt.date.fromisoformat(day["date"]).day == 31 or day["moved"] for day in year["days"]] == [True] * 3
    assert not api.post("/schedules/preview", body | {"recurrence": None}).json["year"]


def test_a_message_says_when_its_schedule_goes_out(clinic: Clinic, api: Program) -> None:
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    body = a_daily_schedule(a_patient(clinic), starts_at=f"{tomorrow:%Y-%m-%d}T09:00", timezone="UTC")
    made = api.post("/schedules", body | {"recurrence": {"frequency": "daily", "count": 1}}).json

    message = api.get(f"/messages?schedule={made['id']}").json["items"][0]

    assert message["summary"] == made["summary"]
    assert "09:00" in message["summary"]


def test_a_preview_marks_occurrences_that_daylight_saving_moved(clinic: Clinic, api: Program) -> None:
    body = a_daily_schedule(a_patient(clinic), starts_at="2027-03-28T02:30")

    first = api.post("/schedules/preview", body).json["occurrences"][0]

    assert (first["local"], first["moved"]) == ("2027-03-28T03:30:00+02:00", "dst_gap")


def test_a_preview_of_a_broadcast_says_how_long_it_takes_and_what_its_lateness_cuts_off(
    clinic: Clinic, api: Program
) -> None:
    people = Patient.objects.bulk_create(
        Patient(
            clinic=clinic, external_id=f"B{number}", name="Bea", telegram_id=6_000_000_000 + number,
            timezone="Europe/Berlin", created_at=NOW,
        )
        for number in range(3500)
    )  # fmt: skip
    cohort = a_cohort(clinic, "All", *people)
    body = {**a_daily_schedule(people[0], cohort=str(cohort.id), lane="broadcast"), "patients": None}

    def warned(**changes: Json) -> list[Json]:
        found = api.post("/schedules/preview", body | changes).json["warnings"]
        return [warning["message"] for warning in found if warning["code"].startswith("takes")]

    takes = "Sending to 3,500 patients takes about 2 minutes"
    assert warned() == [f"{takes}. Reminders go before it."]
    assert warned(late_after="PT1M") == [f"{takes}, longer than messages may be late: the rest would fail."]


@pytest.mark.parametrize("count", ["0", "401", "many"])
def test_a_preview_of_too_many_is_refused(clinic: Clinic, api: Program, count: str) -> None:
    answer = api.post(f"/schedules/preview?count={count}", a_daily_schedule(a_patient(clinic)))

    assert (answer.status, answer.wrong_fields) == (422, ["count"])


@pytest.mark.both_databases
def test_schedules_are_listed_newest_first_page_by_page(clinic: Clinic, api: Program) -> None:
    wanted = [planned(clinic, api)["id"] for _ in range(3)]

    first = api.get("/schedules?limit=2").json
    second = api.get(f"/schedules?limit=2&cursor={first['next']}").json

    assert [item["id"] for item in first["items"] + second["items"]] == wanted[::-1]
    assert second["next"] is None


def test_schedules_are_found_by_their_state(clinic: Clinic, api: Program) -> None:
    paused, active = planned(clinic, api), planned(clinic, api)
    api.post(f"/schedules/{paused['id']}/pause")

    assert [item["id"] for item in api.get("/schedules?state=active").json["items"]] == [active["id"]]


def test_a_change_touches_only_what_it_names(clinic: Clinic, api: Program) -> None:
    before = planned(clinic, api)

    answer = api.patch(f"/schedules/{before['id']}", {"text": "Another text"})

    assert answer.status == 200
    assert api.get(f"/schedules/{before['id']}").json == {
        **{name: value for name, value in before.items() if name not in ("messages", "complete", "warnings")},
        "text": "Another text",
    }


def test_a_schedule_for_patients_becomes_a_schedule_for_a_cohort(clinic: Clinic, api: Program) -> None:
    before, cohort = planned(clinic, api), a_cohort(clinic, "Diabetes", a_patient(clinic))

    after = api.patch(f"/schedules/{before['id']}", {"cohort": str(cohort.id)}).json

    assert (after["cohort"], after["patients"]) == (str(cohort.id), None)


def test_this_and_following_splits_the_series(clinic: Clinic, api: Program) -> None:
    before = planned(clinic, api)

    after = api.patch(f"/schedules/{before['id']}", {"text": "New", "from": "2035-12-03T09:00"}).json

    assert after["id"] != before["id"]
    assert after["next"][0] == "2035-12-03T08:00:00Z"
    old = api.get(f"/schedules/{before['id']}").json
    assert (old["text"], old["next"]) == (before["text"], ["2035-12-01T08:00:00Z", "2035-12-02T08:00:00Z"])


def test_the_preview_of_a_split_is_what_the_same_patch_saves(clinic: Clinic, api: Program) -> None:
    made = planned(clinic, api, recurrence={"frequency": "daily", "count": 9})
    change = {"from": "2035-12-04T09:00", "starts_at": "2035-12-01T10:00"}

    preview = api.post(f"/schedules/{made['id']}/preview?count=20", change).json
    after = api.patch(f"/schedules/{made['id']}", change).json

    due = [occurrence["due_at"] for occurrence in preview["occurrences"]]
    assert due == [f"2035-12-{day:02}T09:00:00Z" for day in range(4, 10)]
    assert (after["next"], after["starts_at"], after["recurrence"]["count"]) == (due[:5], "2035-12-04T10:00", 6)
    assert [occurrence["due_at"] for occurrence in preview["instead_of"]] == [
        f"2035-12-{day:02}T08:00:00Z" for day in range(4, 10)
    ]
    old = api.get(f"/schedules/{made['id']}").json
    assert "3 times" in old["summary"]
    assert old["next"] == [f"2035-12-0{day}T08:00:00Z" for day in (1, 2, 3)]


def test_a_rule_that_names_no_exceptions_brings_nothing_back(clinic: Clinic, api: Program) -> None:
    path = f"/schedules/{planned(clinic, api)['id']}"
    api.post(f"{path}/skip", {"occurrence": "2035-12-02T09:00"})

    retimed = api.patch(
        path, {"recurrence": {"frequency": "daily", "times": ["07:00"]}, "starts_at": "2035-12-01T07:00"}
    )
    assert retimed.json["recurrence"]["except"] == ["2035-12-02T07:00"]

    back = api.patch(path, {"recurrence": {"frequency": "daily", "times": ["07:00"], "except": []}})
    assert back.json["next"][1] == "2035-12-02T06:00:00Z"


def test_a_split_that_leaves_nothing_is_refused_and_changes_nothing(clinic: Clinic, api: Program) -> None:
    made = planned(clinic, api)
    change = {"from": "2035-12-05T09:00", "recurrence": {"frequency": "daily", "until": "2035-12-03"}}

    answers = [
        api.post(f"/schedules/{made['id']}/preview", change),
        api.patch(f"/schedules/{made['id']}", change),
    ]

    assert [(answer.status, answer.wrong_fields) for answer in answers] == [(422, ["recurrence"])] * 2
    assert api.get(f"/schedules/{made['id']}").json["recurrence"] == made["recurrence"]


@pytest.mark.parametrize("name", ["2035-12-05T10:00", "2034-12-05T09:00", "soon", ""])
def test_a_split_from_an_unknown_occurrence_is_refused(clinic: Clinic, api: Program, name: str) -> None:
    answer = api.patch(f"/schedules/{planned(clinic, api)['id']}", {"from": name, "text": "New"})

    assert (answer.status, answer.wrong_fields) == (422, ["occurrence"])


def test_a_pause_and_a_resume_answer_with_the_schedule_as_it_then_is(clinic: Clinic, api: Program) -> None:
    path = f"/schedules/{planned(clinic, api)['id']}"

    states = [api.post(f"{path}/{act}").json["state"] for act in ("pause", "resume", "cancel")]

    assert states == ["paused", "active", "cancelled"]


@pytest.mark.parametrize("act", ["pause", "resume", "cancel"])
def test_a_cancelled_schedule_is_over(clinic: Clinic, api: Program, act: str) -> None:
    path = f"/schedules/{planned(clinic, api)['id']}"
    api.post(f"{path}/cancel")

    assert api.post(f"{path}/{act}").status == 409


def test_a_skipped_occurrence_is_left_out(clinic: Clinic, api: Program) -> None:
    path = f"/schedules/{planned(clinic, api)['id']}"

    answer = api.post(f"{path}/skip", {"occurrence": "2035-12-02T09:00"})

    assert answer.status == 200
    assert answer.json["next"][:2] == ["2035-12-01T08:00:00Z", "2035-12-03T08:00:00Z"]


def test_an_unknown_occurrence_can_not_be_skipped(clinic: Clinic, api: Program) -> None:
    path = f"/schedules/{planned(clinic, api)['id']}"

    answer = api.post(f"{path}/skip", {"occurrence": "2035-12-02T10:00"})

    assert (answer.status, answer.wrong_fields) == (422, ["occurrence"])


def test_the_series_to_look_at_again_are_listed(clinic: Clinic, api: Program) -> None:
    due = planned(clinic, api, review_on="2026-01-01")
    planned(clinic, api, review_on="2099-01-01")
    planned(clinic, api)

    assert [schedule["id"] for schedule in api.get("/schedules?review=true").json["items"]] == [due["id"]]


def test_the_schedules_of_one_patient_are_listed_alone(clinic: Clinic, api: Program) -> None:
    ana, bo = a_patient(clinic), a_patient(clinic, "Bo")
    own, cohort = a_schedule(clinic, ana), a_schedule(clinic, cohort=a_cohort(clinic, "Heart", ana))
    a_schedule(clinic, bo)

    listed = api.get(f"/schedules?patient={ana.id}").json["items"]

    assert {schedule["id"] for schedule in listed} == {str(own.id), str(cohort.id)}
    assert api.get(f"/schedules?patient={a_patient(a_clinic()).id}").status == 404
