"""Forms and the fields that pages and programs share: each is read, or refused with the names of its fields."""

from typing import Final

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils.timezone import now as present

from companion.clinics import key_limits
from companion.clinics.key_limits import KeyLimits
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Refused
from companion.patients.fields import read_given, wrong_in
from companion.planning import drafts
from companion.web import conflicts
from companion.web.planning import form
from companion.web.planning.typed import Typed
from companion.webhooks.models import Webhook
from tests.builders import NOW, a_patient
from tests.fuzz.inputs import fuzzed, json_of, text_of
from tests.web.signed_in import signed_in


@pytest.fixture
def patient(clinic: Clinic) -> str:
    return str(a_patient(clinic).id)


_FIELDS: Final = ("recurrence", "patients", "cohort", "buttons", "again_after", "avoid", "frequency", "monthly", "PT1H")


@fuzzed("patient", "external_id", "telegram_id", "birth_date", "cohorts", "1980-12-24", "12E+4", "\u200b", "|")
def test_any_values_of_a_patient_are_refused_or_can_be_stored(raw: bytes) -> None:
    values = json_of(raw)
    if not isinstance(values, dict):
        return
    try:
        given = read_given(values, today=NOW.date())
    except Refused as no:
        assert no.problems
        assert all(problem.message for problem in no.problems)
        return

    assert not any(wrong_in(name, value) for name, value in values.items())
    assert "\0" not in str(given)
    str(given).encode()


@fuzzed("draft", *_FIELDS)
def test_any_values_of_a_schedule_are_refused_or_read_back_as_they_were_written(
    clinic: Clinic, patient: str, raw: bytes
) -> None:
    values = json_of(raw)
    if not isinstance(values, dict):
        return
    if isinstance(values.get("patients"), list):
        values["patients"] = [patient if isinstance(value, str) else value for value in values["patients"]]
    try:
        draft = drafts.read(clinic, values, now=NOW)
    except Refused:
        return

    assert drafts.read(clinic, drafts.values_of(draft), now=NOW) == draft
    assert form.of_draft(draft, clinic, now=NOW).text == draft.text


@fuzzed("plan_form", "&", "repeat=", "monthly", "weekdays=", "interval=", "ends=on", "until=", "button=", "patients=")
def test_any_planning_form_is_a_schedule_or_is_refused(clinic: Clinic, patient: str, raw: bytes) -> None:
    typed = Typed.from_post(QueryDict(raw))
    values = form.values(typed)
    if values.get("patients"):
        values["patients"] = [patient]
    try:
        draft = drafts.read(clinic, values, now=NOW)
    except Refused as no:
        assert form.errors_by_part(no.problems)
        return

    assert drafts.read(clinic, form.values(form.of_draft(draft, clinic, now=NOW)), now=NOW).text == draft.text


@fuzzed("shown_fields", "fields", "at", "text", "recipients")
def test_any_fields_that_a_form_carries_are_compared_or_left_alone(raw: bytes) -> None:
    held: conflicts.Fields = {"text": "Hello", "recipients": ["a"], "zone": "patient"}

    found = conflicts.clash(
        text_of(raw), held, {**held, "text": "Mine"}, {"text": "Text"}, lambda _: [], again_at="/", now=NOW
    )

    assert found is None or found.fields


@fuzzed("key_limits", "/24", "::/0", "192.0.2.1", ", ", "2035-03-31")
def test_any_limits_of_a_key_are_refused_or_name_networks_and_an_end(raw: bytes) -> None:
    clinic = Clinic(name="Linden", timezone="Europe/Berlin")
    networks, _, day = text_of(raw).rpartition("\n")
    try:
        limits = key_limits.read(KeyLimits(networks=networks, expires_on=day), clinic, now=NOW)
    except Refused:
        return

    again = KeyLimits(networks=", ".join(limits.networks), expires_on=day)
    assert key_limits.read(again, clinic, now=NOW) == limits


@pytest.fixture
def admin(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.ADMIN)


@fuzzed("trail_filters", "since=", "until=", "about=", "below=", "kind=", "&", "%00", "2026-12-24", "W", tenth=True)
def test_any_filters_of_the_audit_trail_are_read_or_count_as_empty(admin: Client, raw: bytes) -> None:
    assert admin.get("/audit", QUERY_STRING=raw.decode("latin-1")).status_code == 200


@fuzzed("replayed_span", "since=", "until=", "&", "T", "%2B14:00", "2026-12-24T09:00", "02:30", "24:00", tenth=True)
def test_any_span_of_a_webhooks_events_is_sent_again_or_refused(clinic: Clinic, admin: Client, raw: bytes) -> None:
    now = present()
    webhook = Webhook.objects.get_or_create(clinic=clinic, defaults={"url": "x", "secret": "x", "created_at": now})[0]

    answer = admin.post(
        f"/settings/webhooks/{webhook.pk}/replay", raw, content_type="application/x-www-form-urlencoded"
    )

    assert answer.status_code in (302, 422)
