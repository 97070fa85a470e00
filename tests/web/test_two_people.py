"""Two people have the same form open: the form puts nothing old back, says who changed what, keeps the typed
values, and asks.
"""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from companion.clinics.models import AuditEntry, Bot, Clinic, Role
from companion.panel.models import AlertContact
from companion.patients.sources import configuration
from companion.patients.sources.models import PatientSource
from companion.schedules.models import Message, Status
from companion.webhooks import webhooks
from tests.api.moments import at_one_moment
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_member, a_message, a_patient
from tests.web.forms import form_in, opened, sent
from tests.web.signed_in import name_of, signed_in, soon, words

pytestmark = pytest.mark.django_db


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
    assert "Phone number 111111 222222 unchanged by you" in told
    assert 'value="Ana Souza"' in answer.content.decode()


def test_saving_after_the_question_keeps_the_other_persons_changes(clinic: Clinic, rosa: Client, ben: Client) -> None:
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
    a_cohort(clinic, "Diabetes")
    a_cohort(clinic, "Heart")
    path = f"/patients/{patient.id}/edit"
    mine = opened(rosa, path, "external_id")
    ben.post(path, sent(opened(ben, path, "external_id"), cohorts=["Asthma", "Diabetes"]))

    asked = rosa.post(path, sent(mine, cohorts=["Heart"]))
    rosa.post(path, form_in(asked.content.decode(), "external_id"))

    assert asked.status_code == 409
    assert sorted(cohort.name for cohort in patient.cohorts.all()) == ["Diabetes", "Heart"]


def test_a_button_pressed_twice_is_no_conflict_with_oneself(clinic: Clinic, rosa: Client) -> None:
    path = f"/patients/{a_patient(clinic).id}/edit"
    form = sent(opened(rosa, path, "external_id"), name="Ana Souza ")

    assert [rosa.post(path, form).status_code for _ in range(2)] == [302, 302]


def test_a_refused_form_still_knows_the_values_that_it_showed_first(clinic: Clinic, rosa: Client, ben: Client) -> None:
    patient = a_patient(clinic, phone="111111")
    path = f"/patients/{patient.id}/edit"
    refused = rosa.post(path, sent(opened(rosa, path, "external_id"), name=""))
    ben.post(path, sent(opened(ben, path, "external_id"), phone="222222"))

    answer = rosa.post(path, sent(form_in(refused.content.decode(), "external_id"), name="Ana Souza"))

    assert (refused.status_code, answer.status_code) == (422, 409)


def test_a_file_that_changed_the_patient_counts_as_somebody_else(clinic: Clinic, rosa: Client, ben: Client) -> None:
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
    assert "Quiet hours from 21:00 22:30 unchanged by you" in words(asked)


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


# A message.


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
    assert "Text Old words Ben's words unchanged by you" in words(asked)
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


# Small forms, in which no typed text can be lost.


def test_a_pause_that_somebody_else_began_meanwhile_is_not_written_over(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    patient = a_patient(clinic)
    page = f"/patients/{patient.id}"
    mine, theirs = opened(rosa, page, "paused_until"), opened(ben, page, "paused_until")
    today = dt.datetime.now(dt.UTC).date()
    for client, form, days in ((ben, theirs, 9), (rosa, mine, 3)):
        until = (today + dt.timedelta(days=days)).isoformat()
        told = client.post(
            f"{page}/pause", sent(form, paused_until=until, paused_reason="In hospital", do="pause"), follow=True
        )

    patient.refresh_from_db()
    assert patient.paused_until == today + dt.timedelta(days=9)
    assert f"{name_of(ben)} changed this pause" in words(told)


def test_a_role_that_another_admin_changed_meanwhile_is_not_put_back(clinic: Clinic, rosa: Client, ben: Client) -> None:
    cem = a_member(clinic, Role.PROVIDER)
    path = f"/settings/members/{cem.id}"
    mine, theirs = opened(rosa, "/settings", "role", path), opened(ben, "/settings", "role", path)
    ben.post(path, sent(theirs, role="viewer"))

    told = rosa.post(path, sent(mine, role="provider"), follow=True)

    cem.refresh_from_db()
    assert cem.role == Role.VIEWER
    assert f"{name_of(ben)} changed this role" in words(told)


def test_a_source_that_another_admin_set_meanwhile_is_neither_exchanged_nor_removed(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    path = "/patients/sources/fhir"
    mine = opened(rosa, "/patients/sources", "url")
    ben.post(path, sent(opened(ben, "/patients/sources", "url"), url="https://ben.example"))

    answer = rosa.post(path, sent(mine, url="https://rosa.example"))
    rosa.post("/patients/sources/remove", {"shown": ""})

    source = PatientSource.objects.get(clinic=clinic)
    assert configuration.shown_address(source) == "https://ben.example"
    assert answer.status_code == 409
    assert f"{name_of(ben)} changed the source" in words(answer)
    assert 'value="https://rosa.example"' in answer.content.decode()


def test_the_kinds_of_a_webhook_that_another_admin_chose_meanwhile_stay(
    clinic: Clinic, rosa: Client, ben: Client
) -> None:
    webhook, _ = webhooks.add(a_caller(clinic, Role.ADMIN), "https://93.184.216.34/", ["alert"], now=NOW)
    page, path = f"/settings/webhooks/{webhook.pk}", f"/settings/webhooks/{webhook.pk}/kinds"
    mine = opened(rosa, page, "kinds", path)
    ben.post(path, sent(opened(ben, page, "kinds", path), kinds=["message.sent"]))

    answer = rosa.post(path, sent(mine, kinds=["alert", "message.failed"]))

    assert webhooks.kinds_of(webhook) == {"message.sent"}
    assert answer.status_code == 409
    assert f"{name_of(ben)} changed the kinds of events" in words(answer)


def test_a_bot_that_another_admin_connected_meanwhile_is_not_exchanged(clinic: Clinic, rosa: Client) -> None:
    mine = opened(rosa, "/settings", "shown", "/settings/bot")
    bot = a_bot(clinic)

    told = rosa.post("/settings/bot", sent(mine), follow=True)

    assert "the bot while this page was open" in words(told)
    assert Bot.objects.get(clinic=clinic).telegram_id == bot.telegram_id


def test_how_an_admin_hears_of_alerts_is_not_put_back_by_another_tab(clinic: Clinic, rosa: Client) -> None:
    path = "/mcp/alerts/me"
    mine = opened(rosa, "/mcp/alerts", "telegram_id", path)
    rosa.post(path, sent(opened(rosa, "/mcp/alerts", "telegram_id", path), telegram_id="7000000001"))

    answer = rosa.post(path, sent(mine, telegram_id="7000000002", by_email=[]))
    again = rosa.post(path, form_in(answer.content.decode(), "telegram_id", path))

    contact = AlertContact.objects.get(clinic=clinic)
    assert (answer.status_code, again.status_code) == (409, 302)
    assert f"{name_of(rosa)} changed how you get alerts" in words(answer)
    assert 'value="7000000002"' in answer.content.decode()
    assert (contact.telegram_id, contact.by_email) == (7000000002, False)


DONE = ("alerts' addressee changed", "patient source set: fhir", "sandbox bot connected")


# Two requests at the same moment: the row stays locked from the comparison to the change.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("stands_at", "path", "field", "values"),
    [
        ("/mcp/alerts", "/mcp/alerts/me", "telegram_id", [f"700000000{number}" for number in range(4)]),
        (
            "/patients/sources",
            "/patients/sources/fhir",
            "url",
            [f"https://fhir{number}.example" for number in range(4)],
        ),
        ("/settings", "/settings/bot", "shown", [""] * 4),
    ],
    ids=["alert contact", "source", "bot"],
)
def test_of_several_people_who_save_a_small_form_at_the_same_moment_one_person_s_form_is_saved(
    transactional_db: None, settings: Settings, stands_at: str, path: str, field: str, values: list[str]
) -> None:
    settings.SANDBOX_ON = True
    client = signed_in(a_clinic(), Role.ADMIN)
    form, typed = opened(client, stands_at, field, path), iter(values)

    at_one_moment(len(values), lambda: saved(client, path, sent(form, **{field: next(typed)})))

    [done] = AuditEntry.objects.exclude(action="signed in").values_list("action", flat=True)
    assert done in DONE


def saved(client: Client, path: str, form: dict[str, object]) -> int:
    """Send the form from another browser as the same person."""
    own = Client()
    own.cookies = client.cookies
    return own.post(path, form).status_code
