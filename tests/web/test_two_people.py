"""Two people have one form open: nothing old is put back, it says who changed what, keeps what was typed, and asks."""

import datetime as dt

import pytest
from django.test import Client

from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.planning import drafts
from companion.schedules.models import Message, Schedule, Status
from tests.builders import a_clinic, a_cohort, a_message, a_patient
from tests.web.forms import form_in, opened, sent
from tests.web.signed_in import signed_in, soon, typed, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


@pytest.fixture
def rosa(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.ADMIN)


@pytest.fixture
def ben(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.ADMIN)


def name_of(client: Client) -> str:
    """As the audit trail names who is signed in."""
    from companion.clinics.models import Member

    return Member.objects.get(user_id=client.session["_auth_user_id"]).user.email


# A patient.


def test_a_patients_form_that_was_open_meanwhile_says_who_changed_what_and_saves_nothing(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    patient = a_patient(clinic, phone="111111")
    path = f"/patients/{patient.id}/edit"
    mine = opened(rosa, path, "external_id")
    ben.post(path, sent(opened(ben, path, "external_id"), phone="222222"))

    answer = rosa.post(path, sent(mine, name="Ana Souza"))

    patient.refresh_from_db()
    told = words(answer)
    assert answer.status_code == 409
    assert (patient.name, patient.phone) == ("Ana Silva", "222222")
    assert name_of(ben) in told
    assert "patient changed" in told
    assert "Phone number 111111 222222 not touched" in told
    assert 'value="Ana Souza"' in answer.content.decode()


def test_saving_after_the_question_keeps_what_the_other_one_changed(clinic: Clinic, rosa: Client, ben: Client) -> None:
    patient = a_patient(clinic, phone="111111")
    path = f"/patients/{patient.id}/edit"
    mine = opened(rosa, path, "external_id")
    ben.post(path, sent(opened(ben, path, "external_id"), phone="222222"))
    asked = rosa.post(path, sent(mine, name="Ana Souza"))

    answer = rosa.post(path, form_in(asked.content.decode(), "external_id"))

    patient.refresh_from_db()
    assert answer.status_code == 302
    assert (patient.name, patient.phone) == ("Ana Souza", "222222")


def test_where_both_changed_one_field_each_sees_both_and_the_second_one_decides(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    patient = a_patient(clinic, phone="111111")
    path = f"/patients/{patient.id}/edit"
    mine = opened(rosa, path, "external_id")
    ben.post(path, sent(opened(ben, path, "external_id"), phone="222222"))

    asked = rosa.post(path, sent(mine, phone="333333"))
    rosa.post(path, form_in(asked.content.decode(), "external_id"))

    patient.refresh_from_db()
    assert "Phone number 111111 222222 333333" in words(asked)
    assert patient.phone == "333333"


def test_a_third_change_meanwhile_is_asked_about_again(clinic: Clinic, rosa: Client, ben: Client) -> None:
    patient = a_patient(clinic, phone="111111")
    path = f"/patients/{patient.id}/edit"
    mine = opened(rosa, path, "external_id")
    ben.post(path, sent(opened(ben, path, "external_id"), phone="222222"))
    asked = rosa.post(path, sent(mine, name="Ana Souza"))
    ben.post(path, sent(opened(ben, path, "external_id"), phone="444444"))

    again = rosa.post(path, form_in(asked.content.decode(), "external_id"))

    assert again.status_code == 409
    assert "Phone number 222222 444444" in words(again)


def test_of_cohorts_each_one_put_in_or_taken_out_counts_alone(clinic: Clinic, rosa: Client, ben: Client) -> None:
    patient = a_patient(clinic)
    a_cohort(clinic, "Asthma", patient)
    diabetes = a_cohort(clinic, "Diabetes")
    a_cohort(clinic, "Heart")
    path = f"/patients/{patient.id}/edit"
    mine = opened(rosa, path, "external_id")
    ben.post("/patients/many", {"patient": [str(patient.id)], "do": "add", "cohort": str(diabetes.id)})
    if "Diabetes" not in [one.name for one in patient.cohorts.all()]:
        ben.post(path, sent(opened(ben, path, "external_id"), cohorts=["Asthma", "Diabetes"]))

    asked = rosa.post(path, sent(mine, cohorts=["Heart"]))
    rosa.post(path, form_in(asked.content.decode(), "external_id"))

    assert asked.status_code == 409
    assert sorted(one.name for one in patient.cohorts.all()) == ["Diabetes", "Heart"]


def test_a_button_pressed_twice_is_no_conflict_with_oneself(clinic: Clinic, rosa: Client) -> None:
    path = f"/patients/{a_patient(clinic).id}/edit"
    form = sent(opened(rosa, path, "external_id"), name="Ana Souza ")

    assert [rosa.post(path, form).status_code for _ in range(2)] == [302, 302]


def test_what_was_refused_still_knows_what_it_showed_first(clinic: Clinic, rosa: Client, ben: Client) -> None:
    patient = a_patient(clinic, phone="111111")
    path = f"/patients/{patient.id}/edit"
    refused = rosa.post(path, sent(opened(rosa, path, "external_id"), name=""))
    ben.post(path, sent(opened(ben, path, "external_id"), phone="222222"))

    answer = rosa.post(path, sent(form_in(refused.content.decode(), "external_id"), name="Ana Souza"))

    assert (refused.status_code, answer.status_code) == (422, 409)


def test_a_file_that_changed_the_patient_counts_as_somebody_else(clinic: Clinic, rosa: Client, ben: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    patient = a_patient(clinic, external_id="P-9")
    path = f"/patients/{patient.id}/edit"
    mine = opened(rosa, path, "external_id")
    ben.post("/patients/import", {"file": SimpleUploadedFile("p.csv", b"external_id,name\nP-9,Anna Silva\n")})

    answer = rosa.post(path, sent(mine, phone="123456"))

    assert answer.status_code == 409
    assert "patient changed by an import" in words(answer)


# The clinic's settings.


def test_settings_that_another_admin_changed_are_not_put_back(clinic: Clinic, rosa: Client, ben: Client) -> None:
    mine = opened(rosa, "/settings", "quiet_from")
    ben.post("/settings/clinic", sent(opened(ben, "/settings", "quiet_from"), quiet_from="22:30"))

    asked = rosa.post("/settings/clinic", sent(mine, name="Elm Clinic"))
    clinic.refresh_from_db()
    before = (clinic.name, f"{clinic.quiet_from:%H:%M}")
    saved = rosa.post("/settings/clinic", form_in(asked.content.decode(), "quiet_from"))

    clinic.refresh_from_db()
    assert (asked.status_code, saved.status_code) == (409, 302)
    assert before == ("Linden Clinic", "22:30")
    assert (clinic.name, f"{clinic.quiet_from:%H:%M}") == ("Elm Clinic", "22:30")
    assert name_of(ben) in words(asked)
    assert "Quiet hours from 21:00 22:30 not touched" in words(asked)


def test_of_closed_days_each_one_counts_alone(clinic: Clinic, rosa: Client, ben: Client) -> None:
    mine = opened(rosa, "/settings", "quiet_from")
    ben.post("/settings/clinic", sent(opened(ben, "/settings", "quiet_from"), closed_days="2026-12-24"))

    asked = rosa.post("/settings/clinic", sent(mine, closed_days="2026-12-31", consent_required="yes"))
    rosa.post("/settings/clinic", form_in(asked.content.decode(), "quiet_from"))

    clinic.refresh_from_db()
    assert (clinic.closed_days, clinic.consent_required) == (["2026-12-24", "2026-12-31"], True)


def test_the_words_for_urgent_help_are_not_put_back(clinic: Clinic, rosa: Client, ben: Client) -> None:
    mine = opened(rosa, "/settings", "words")
    ben.post("/settings/help", sent(opened(ben, "/settings", "words"), words="help\nchest pain", phone="112"))

    asked = rosa.post("/settings/help", sent(mine, words="fever", phone="112"))
    rosa.post("/settings/help", form_in(asked.content.decode(), "words"))

    clinic.refresh_from_db()
    assert asked.status_code == 409
    assert sorted(clinic.urgent_words) == ["chest pain", "fever", "help"]


def test_one_part_of_the_settings_is_no_conflict_with_another_part(clinic: Clinic, rosa: Client, ben: Client) -> None:
    mine = opened(rosa, "/settings", "quiet_from")
    ben.post("/settings/help", sent(opened(ben, "/settings", "words"), words="help", phone="112"))

    assert rosa.post("/settings/clinic", sent(mine, name="Elm Clinic")).status_code == 302


# A single message.


def test_a_text_that_somebody_else_wrote_is_not_put_back_by_another_time(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    message = a_message(a_patient(clinic), due_at=soon(), text="Old words")
    path = f"/scheduled-messages/{message.id}/edit"
    mine = opened(rosa, path, "text")
    ben.post(path, sent(opened(ben, path, "text"), text="Ben's words"))
    tomorrow = (message.due_at + dt.timedelta(days=1)).date().isoformat()

    asked = rosa.post(path, sent(mine, date=tomorrow))
    message.refresh_from_db()
    kept = (message.text, message.due_at.date().isoformat() == tomorrow)
    rosa.post(path, form_in(asked.content.decode(), "text"))

    message.refresh_from_db()
    assert (asked.status_code, kept) == (409, ("Ben's words", False))
    assert "Text Old words Ben's words not touched" in words(asked)
    assert f"{name_of(ben)}" in words(asked)
    assert message.text == "Ben's words"


def test_a_message_that_was_cancelled_meanwhile_says_so_and_keeps_what_was_typed(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    message = a_message(a_patient(clinic), due_at=soon())
    path = f"/scheduled-messages/{message.id}/edit"
    mine = opened(rosa, path, "text")
    ben.post(f"/scheduled-messages/{message.id}/cancel")

    answer = rosa.post(path, sent(mine, text="Rosa's words"))

    assert answer.status_code == 409
    assert "Status Pending Cancelled" in words(answer)
    assert "message cancelled" in words(answer)
    assert "Rosa's words" in words(answer)


def test_another_text_than_the_page_asked_about_is_not_sent_now(clinic: Clinic, rosa: Client, ben: Client) -> None:
    message = a_message(a_patient(clinic), due_at=soon(30), text="Old words")
    page = f"/scheduled-messages/{message.id}"
    asked = opened(rosa, f"{page}/send-now", "shown")
    ben.post(f"{page}/edit", sent(opened(ben, f"{page}/edit", "text"), text="Ben's words"))

    answer = rosa.post(f"{page}/send-now", asked)
    message.refresh_from_db()
    waits = message.due_at > soon(1)
    again = rosa.post(f"{page}/send-now", form_in(answer.content.decode(), "shown"))

    assert (answer.status_code, waits, again.status_code) == (409, True, 302)
    assert "Text Old words Ben's words" in words(answer)


def test_another_text_than_the_page_asked_about_is_not_retried(clinic: Clinic, rosa: Client) -> None:
    message = a_message(a_patient(clinic), status=Status.FAILED, reason="gave_up", ended_at=soon(-5), text="Old words")
    asked = opened(rosa, f"/scheduled-messages/{message.id}/retry", "shown")
    Message.objects.filter(pk=message.pk).update(text="Other words")
    stale = Message.objects.get(pk=message.pk)

    answer = rosa.post(f"/scheduled-messages/{message.id}/retry", asked)

    stale.refresh_from_db()
    assert (answer.status_code, stale.status) == (409, Status.FAILED)


# A series.


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
    assert "Time 09:00 10:30 not touched" in told
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
        ({"late_after": "PT4H"}, "How late is still good PT1H PT4H"),
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
    assert {one.name for one in series.recipients.all()} == {"Cem", "Dora"}


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
    assert any(day in str(one) for one in series.recurrence["except"])


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
