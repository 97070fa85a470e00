"""Two people have a series' form open: the form puts nothing old back, says who changed what, and asks."""

import datetime as dt

import pytest
from django.test import Client

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.planning import drafts, planner
from companion.schedules import wording
from companion.schedules.models import Message, Schedule
from tests.builders import a_patient
from tests.web.forms import form_in, opened, sent
from tests.web.signed_in import name_of, typed, words

pytestmark = pytest.mark.django_db


def a_series(client: Client, clinic: Clinic, *patients: Patient, **fields: object) -> Schedule:
    daily = {"repeat": "daily", "late_after": "PT1H", "quiet_hours": "ignore", "count": "10"} | fields
    answer = client.post("/scheduled-messages/new", typed(*(patients or (a_patient(clinic),)), **daily))
    assert answer.status_code == 302
    return Schedule.objects.latest("id")


def edit_of(schedule: Schedule) -> str:
    return f"/scheduled-messages/series/{schedule.id}/edit"


def test_a_series_form_that_was_open_meanwhile_says_who_changed_what_and_saves_nothing(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    series = a_series(rosa, clinic)
    mine = opened(rosa, edit_of(series), "zone_name")
    changed = ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), time="10:30"))

    asked = rosa.post(edit_of(series), sent(mine, text="Two tablets."))

    series.refresh_from_db()
    assert (changed.status_code, asked.status_code) == (302, 409)
    assert drafts.of(series).text == "Take your tablet, {first_name}."
    assert series.starts_at.endswith("T10:30")
    told = words(asked)
    assert f"{name_of(ben)}" in told
    assert "schedule changed" in told
    assert "Time 09:00 10:30 unchanged by you" in told
    assert "Two tablets." in asked.content.decode()


def test_saving_a_series_after_the_question_keeps_the_others_change(clinic: Clinic, rosa: Client, ben: Client) -> None:
    series = a_series(rosa, clinic)
    mine = opened(rosa, edit_of(series), "zone_name")
    ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), time="10:30"))
    asked = rosa.post(edit_of(series), sent(mine, text="Two tablets."))

    saved = rosa.post(edit_of(series), form_in(asked.content.decode(), "zone_name"))

    series.refresh_from_db()
    assert saved.status_code == 302
    assert drafts.of(series).text == "Two tablets."
    assert series.starts_at.endswith("T10:30")


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        ({"text": "Ben's words"}, "Text Take your tablet, {first_name}. Ben's words"),
        ({"repeat": "weekly", "weekdays": ["mo", "th"]}, "Repeat Every day Every week, Mon, Thu"),
        ({"ends": "after", "count": "12"}, "12 times"),
        ({"zone": "patient"}, "Time zone Europe/Berlin Each patient's own"),
        ({"lane": "broadcast"}, "Priority reminder broadcast"),
        ({"late_after": "PT4H"}, "Latest time to send PT1H PT4H"),
        ({"quiet_hours": "wait"}, "Quiet hours ignore wait"),
        ({"if_unknown": "resend"}, "hold resend"),
        ({"avoid": ["weekends"], "when_avoided": "next"}, "Days off empty weekends"),
        ({"button": ["Taken"], "again": [""], "answer_within": "PT1H"}, "Answers empty Taken"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_part_that_somebody_else_changed_is_shown_and_kept(
    clinic: Clinic, rosa: Client, ben: Client, theirs: dict[str, str | list[str]], told: str
) -> None:
    series = a_series(rosa, clinic)
    before = drafts.values_of(drafts.of(series))
    mine = opened(rosa, edit_of(series), "zone_name")
    assert ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), **theirs)).status_code == 302
    after = drafts.values_of(drafts.of(Schedule.objects.get(pk=series.pk)))

    asked = rosa.post(edit_of(series), sent(mine, time="07:07"))
    saved = rosa.post(edit_of(series), form_in(asked.content.decode(), "zone_name"))

    final = drafts.values_of(drafts.of(Schedule.objects.get(pk=series.pk)))
    assert (asked.status_code, saved.status_code) == (409, 302)
    assert told in words(asked)
    assert after != before
    assert {key: final[key] for key in final if key != "starts_at"} == {
        key: after[key] for key in after if key != "starts_at"
    }
    assert str(final["starts_at"]).endswith("T07:07")


def test_of_recipients_each_one_put_in_or_taken_out_counts_alone(clinic: Clinic, rosa: Client, ben: Client) -> None:
    ana, cem, dora = a_patient(clinic, "Ana"), a_patient(clinic, "Cem"), a_patient(clinic, "Dora")
    series = a_series(rosa, clinic, ana)
    mine = opened(rosa, edit_of(series), "zone_name")
    ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), patients=[str(ana.id), str(cem.id)]))

    asked = rosa.post(edit_of(series), sent(mine, patients=[str(dora.id)]))
    rosa.post(edit_of(series), form_in(asked.content.decode(), "zone_name"))

    assert "Who gets it Ana Ana, Cem Dora" in words(asked)
    assert {patient.name for patient in series.recipients.all()} == {"Cem", "Dora"}


def test_a_day_that_somebody_skipped_or_a_pause_meanwhile_is_told(clinic: Clinic, rosa: Client, ben: Client) -> None:
    series = a_series(rosa, clinic)
    mine = opened(rosa, edit_of(series), "zone_name")
    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=3)).date().isoformat()
    ben.post(f"/scheduled-messages/series/{series.id}/skip", {"occurrence": f"{day}T09:00"})
    ben.post(f"/scheduled-messages/series/{series.id}/pause")

    asked = rosa.post(edit_of(series), sent(mine, text="Two tablets."))
    rosa.post(edit_of(series), form_in(asked.content.decode(), "zone_name"))

    series.refresh_from_db()
    told = words(asked)
    assert asked.status_code == 409
    assert "occurrence skipped" in told
    assert "schedule paused" in told
    assert f"Left out empty {day}" in told
    assert "State Active Paused" in told
    assert (drafts.of(series).text, series.state) == ("Two tablets.", "paused")
    assert series.recurrence
    assert any(day in str(exception) for exception in series.recurrence["except"])


def test_a_split_over_a_changed_time_takes_the_new_time(clinic: Clinic, rosa: Client, ben: Client) -> None:
    series = a_series(rosa, clinic)
    mine = opened(rosa, edit_of(series), "zone_name")
    ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), time="10:30"))
    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=4)).date().isoformat()

    asked = rosa.post(edit_of(series), sent(mine, text="Two tablets.", from_occurrence=f"{day}T10:30"))
    saved = rosa.post(edit_of(series), form_in(asked.content.decode(), "zone_name"))

    new = Schedule.objects.get(split_from=series)
    assert (asked.status_code, saved.status_code) == (409, 302)
    assert new.starts_at == f"{day}T10:30"
    assert drafts.of(new).text == "Two tablets."


def test_a_kept_draft_remembers_what_its_form_showed(clinic: Clinic, rosa: Client, ben: Client) -> None:
    series = a_series(rosa, clinic)
    mine = sent(opened(rosa, edit_of(series), "zone_name"), text="Two tablets.")
    rosa.post("/scheduled-messages/drafts", mine)
    ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), time="10:30"))
    draft = str(mine["draft"][0])  # type: ignore[index]  # as the page sends it

    form = opened(rosa, f"{edit_of(series)}?draft={draft}", "zone_name")
    asked = rosa.post(edit_of(series), form)

    assert form["text"] == ["Two tablets."]
    assert asked.status_code == 409
    assert "Time 09:00 10:30" in words(asked)


def test_a_look_at_the_preview_forgets_nothing(clinic: Clinic, rosa: Client, ben: Client) -> None:
    series = a_series(rosa, clinic)
    mine = opened(rosa, edit_of(series), "zone_name")
    ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), time="10:30"))

    looked = rosa.post(edit_of(series), sent(mine, text="Two tablets.", do="preview"))
    asked = rosa.post(edit_of(series), form_in(looked.content.decode(), "zone_name"))

    assert (looked.status_code, asked.status_code) == (200, 409)


def test_a_series_that_nobody_else_touched_is_saved_at_once(clinic: Clinic, rosa: Client) -> None:
    series = a_series(rosa, clinic)

    answer = rosa.post(edit_of(series), sent(opened(rosa, edit_of(series), "zone_name"), text="Two tablets."))

    assert answer.status_code == 302
    assert drafts.of(Schedule.objects.get(pk=series.pk)).text == "Two tablets."


# A planned message of a series, which is not stored as a Message yet.


def planned_edit_of(series: Schedule, patient: Patient) -> str:
    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date()
    return f"/scheduled-messages/series/{series.id}/{day}T09:00/{patient.id}/edit"


def a_daily_dose(client: Client, clinic: Clinic, patient: Patient) -> Schedule:
    return a_series(client, clinic, patient, zone_name="UTC")


def test_an_open_form_of_one_planned_message_puts_no_old_text_of_the_series_back(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    patient = a_patient(clinic)
    series = a_daily_dose(rosa, clinic, patient)
    path = planned_edit_of(series, patient)
    mine = opened(rosa, path, "text")
    ben.post(edit_of(series), sent(opened(ben, edit_of(series), "zone_name"), text="Two tablets."))

    asked = rosa.post(path, sent(mine, time="16:00"))
    made_before = Message.objects.filter(schedule=series, time_by_hand=True).exists()
    saved = rosa.post(path, form_in(asked.content.decode(), "text"))

    message = Message.objects.get(schedule=series, time_by_hand=True)
    assert (asked.status_code, made_before, saved.status_code) == (409, False, 302)
    assert name_of(ben) in words(asked)
    assert wording.template_of(message) == "Two tablets."
    assert message.text is None


def test_a_planned_message_that_becomes_a_message_while_its_form_is_open_takes_what_was_typed(
    clinic: Clinic, rosa: Client
) -> None:
    patient = a_patient(clinic)
    series = a_daily_dose(rosa, clinic, patient)
    path = planned_edit_of(series, patient)
    mine = opened(rosa, path, "text")
    planner.plan_ahead(series.id, now=dt.datetime.now(dt.UTC) + dt.timedelta(days=6))
    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=7)).date()
    message = Message.objects.get(schedule=series, occurrence=f"{day}T09:00")

    answer = rosa.post(path, sent(mine, text="Two tablets today."))

    message.refresh_from_db()
    assert answer["Location"] == f"/scheduled-messages/{message.id}"
    assert (message.text, message.by_hand) == ("Two tablets today.", True)


def test_a_double_brace_in_one_planned_message_warns_as_in_any_message(clinic: Clinic, rosa: Client) -> None:
    patient = a_patient(clinic)
    path = planned_edit_of(a_daily_dose(rosa, clinic, patient), patient)

    answer = rosa.post(path, sent(opened(rosa, path, "text"), text="Hello {{first_name}}."))

    assert "{{first_name}} has two braces" in words(rosa.get(answer["Location"]))
