"""Values before and after in the audit trail's entry for each act; of health data only that they changed."""

import datetime as dt
import io
from typing import Final

import pytest
from django.test import Client

from companion.clinics.models import AuditEntry, Clinic, Role
from companion.patients.models import Patient
from tests.api.calls import Program, a_program
from tests.builders import a_bot, a_cohort, a_conversation, a_patient
from tests.clinics.acts_in_the_code import functions_that_mention
from tests.support.receivers import a_program as a_receiver
from tests.web.signed_in import signed_in

pytestmark = pytest.mark.django_db

WITHOUT_VALUES: Final = {
    "companion.clinics.audit._entry": "the readings' entries",
    "companion.clinics.key_changes.record_rotation": "all values stay as they were, under another key",
    "companion.clinics.providers.refused": "a stranger was turned away: nothing changed",
    "companion.clinics.providers.too_weak": "a sign-in without the demanded strength was turned away: nothing changed",
    "companion.clinics.sign_in_links.operators_link": "a link was made: the account stays as it is until it is used",
    "companion.clinics.sign_in_links.hand_out_link": "a link was made: the account stays as it is until it is used",
    "companion.clinics.sign_in_links.redeem_link": "somebody came in by a link; what ends with it has its own entry",
    "companion.panel.contacts.test_telegram": "a message to try a way out",
    "companion.panel.contacts.test_email": "an e-mail to try a way out",
    "companion.patients.enrolment._why_not_linked": "a chat was turned away: nothing changed",
    "companion.patients.enrolment._link": "the same chat again",
    "companion.patients.sources.configuration.ask_for_sync": "what the sync changes has its own entries",
    "companion.web.account.evidence._record_failure": "a sign-in failed: nothing changed",
    "companion.web.account.evidence.record": "a sign-in, the end of a session",
    "companion.webhooks.deliveries.retry": "the same call goes out again",
    "companion.webhooks.webhooks.try_out": "a call to try a webhook out",
}
"""The functions that record an act without values, each with the reason. All others must name them: mypy sees to it."""
DAILY: Final = {"timezone": "Europe/Berlin", "starts_at": "2095-12-01T09:00", "recurrence": {"frequency": "daily"}}


def test_every_act_tells_its_values_or_why_there_are_none() -> None:
    assert set(functions_that_mention("audit", "NO_VALUE")) == set(WITHOUT_VALUES)


@pytest.fixture
def api(clinic: Clinic) -> Program:
    return a_program(clinic, Role.ADMIN)


@pytest.fixture
def admin(clinic: Clinic) -> Client:
    return signed_in(clinic, Role.ADMIN)


def tomorrow() -> dt.date:
    """The day after today, in every zone of these tests."""
    return dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)


def told(action: str) -> dict[str, object]:
    """The values in the newest entry of this action."""
    return dict(AuditEntry.objects.filter(action=action).order_by("-id")[0].changes)


def a_daily(api: Program, patient: Patient, **fields: object) -> str:
    body = {"patients": [str(patient.id)], "text": "Take your tablet."} | DAILY | fields
    return str(api.post("/schedules", body).json["id"])


def test_a_new_series_tells_what_was_planned(api: Program, ana: Patient) -> None:
    a_daily(api, ana)

    values = told("schedule created")
    assert (values["text"], values["starts_at"]) == ("changed", [None, "2095-12-01T09:00"])
    assert values["patients"] == [[], [str(ana.id)]]


def test_a_changed_series_tells_its_times_and_of_its_text_only_that_it_changed(
    api: Program, clinic: Clinic, ana: Patient
) -> None:
    ben = a_patient(clinic)
    series = a_daily(api, ana)

    change = {"starts_at": "2095-12-01T10:00", "text": "Take two.", "timezone": "patient", "patients": [str(ben.id)]}
    api.patch(f"/schedules/{series}", change)

    assert told("schedule changed") == {
        "patients": [[str(ana.id)], [str(ben.id)]],
        "starts_at": ["2095-12-01T09:00", "2095-12-01T10:00"],
        "text": "changed",
        "timezone": ["Europe/Berlin", "patient"],
    }


def test_a_series_that_splits_tells_both_ends(api: Program, ana: Patient) -> None:
    series = a_daily(api, ana)

    api.patch(f"/schedules/{series}", {"from": "2095-12-05T09:00", "late_after": "PT2H"})

    assert told("schedule created")["late_after"] == ["PT1H", "PT2H"]
    assert "recurrence" in told("schedule split")


@pytest.mark.parametrize(
    ("act", "action", "state"),
    [("pause", "schedule paused", ["active", "paused"]), ("cancel", "schedule cancelled", ["active", "cancelled"])],
)
def test_a_series_tells_the_state_that_it_was_in(
    api: Program, ana: Patient, act: str, action: str, state: list[str]
) -> None:
    api.post(f"/schedules/{a_daily(api, ana)}/{act}", {})

    assert told(action) == {"state": state}


def test_a_skip_tells_the_rule_before_and_after(api: Program, ana: Patient) -> None:
    api.post(f"/schedules/{a_daily(api, ana)}/skip", {"occurrence": "2095-12-02T09:00"})

    rule = str(told("occurrence skipped")["recurrence"])
    assert rule.count("2095-12-02") == 1


def test_a_message_tells_its_time_and_status(api: Program, ana: Patient) -> None:
    body = {"patient": str(ana.id), "text": "Come at nine.", "send_at": "2095-12-01T09:00:00Z"}
    message = api.post("/messages", body).json["id"]
    planned = told("message planned")
    api.patch(f"/messages/{message}", {"send_at": "2095-12-01T10:00:00Z"})
    api.post(f"/messages/{message}/cancel", {})

    assert (planned["due_at"], planned["text"]) == ([None, "2095-12-01T09:00:00Z"], "changed")
    assert told("message edited") == {"due_at": ["2095-12-01T09:00:00Z", "2095-12-01T10:00:00Z"]}
    assert told("message cancelled") == {"reason": ["", "by_person"], "status": ["pending", "cancelled"]}


def test_a_new_patient_tells_the_zone_and_of_the_person_only_that_it_is_known(api: Program) -> None:
    body = {"external_id": "P-77", "name": "Eva Lund", "timezone": "Europe/Oslo", "cohorts": ["Diabetes"]}
    api.post("/patients", body)

    values = told("patient added")
    assert (values["timezone"], values["name"], values["cohorts"]) == ([None, "Europe/Oslo"], "changed", "changed")
    assert "Lund" not in str(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert "Diabetes" not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_an_import_tells_of_each_patient_what_changed(
    admin: Client, clinic: Clinic, ana: Patient, api: Program
) -> None:
    file = io.BytesIO(f"external_id,name,timezone\n{ana.external_id},Ana Silva,Asia/Tokyo\nP-88,Eva,\n".encode())
    file.name = "patients.csv"
    admin.post("/patients/import", {"file": file})

    assert told("patient changed by an import") == {"timezone": ["Europe/Berlin", "Asia/Tokyo"]}
    assert told("patient added by an import")["name"] == "changed"
    assert told("patients imported")["added"] == [None, 1]


def test_a_pause_tells_its_day_and_of_the_reason_only_that_it_changed(api: Program, ana: Patient) -> None:
    until = "2027-03-03"
    api.patch(f"/patients/{ana.id}", {"paused_until": until, "paused_reason": "In hospital"})

    assert told("patient paused") == {"paused_reason": "changed", "paused_until": [None, until]}


def test_a_patient_in_a_cohort_tells_that_both_changed(admin: Client, clinic: Clinic, ana: Patient) -> None:
    cohort = a_cohort(clinic, "Asthma")
    admin.post("/patients/many", {"id": [str(ana.id)], "do": "add", "cohort": str(cohort.id)})

    entries = AuditEntry.objects.filter(subject_id__in=(ana.id, cohort.id)).order_by("subject_kind")
    assert [entry.changes for entry in entries] == [{"patients": "changed"}, {"cohorts": "changed"}]


def test_a_conversation_tells_who_had_it(admin: Client, ana: Patient) -> None:
    conversation = a_conversation(ana)
    admin.post(f"/inbox/{conversation.id}/take")

    assert "standing" in told("conversation taken")


def test_a_key_tells_its_rights(admin: Client) -> None:
    admin.post("/settings/keys", {"name": "Lab system", "role": "provider", "networks": "192.0.2.0/24"})

    values = told("API key made")
    assert (values["role"], values["networks"]) == ([None, "provider"], [None, ["192.0.2.0/24"]])


def test_words_for_urgent_help_tell_what_they_were(admin: Client) -> None:
    admin.post("/settings/help", {"words": "chest pain", "phone": "112"})

    assert told("words for urgent help changed")["urgent_phone"] == ["", "112"]


def test_a_maintenance_window_tells_its_end_and_reason(api: Program) -> None:
    api.post("/api/mcp/maintenance", {"until": "2026-11-28T09:00:00Z", "reason": "A new disk"})

    assert told("maintenance begun")["reason"] == [None, "A new disk"]


def test_a_webhook_tells_its_kinds_and_of_its_address_only_that_it_changed(admin: Client) -> None:
    with a_receiver() as hook:
        admin.post("/settings/webhooks/new", {"url": hook.url, "kinds": ["alert"]})
        [webhook] = AuditEntry.objects.filter(action="webhook added").values_list("subject_id", flat=True)
        admin.post(f"/settings/webhooks/{webhook}/kinds", {"kinds": ["alert", "message.failed"]})

    assert told("webhook added") == {"address": "changed", "kinds": [None, ["alert"]], "secret": "changed"}
    assert told("webhook's kinds chosen") == {"kinds": [["alert"], ["alert", "message.failed"]]}


def test_a_source_of_patients_tells_its_kind_and_neither_its_address_nor_its_token(admin: Client) -> None:
    fhir = {"url": "https://fhir.example/r4", "token": "top-secret", "every_minutes": "60"}
    admin.post("/patients/sources/fhir", fhir)
    admin.post("/patients/sources/remove")

    kept = str(list(AuditEntry.objects.values_list("changes", flat=True)))
    assert told("patient source set: fhir")["settings"] == "changed"
    assert told("patient source removed")["kind"] == ["fhir", None]
    assert "top-secret" not in kept
    assert "fhir.example" not in kept


def test_a_contact_for_alerts_tells_the_way_and_hides_the_number(clinic: Clinic, admin: Client) -> None:
    a_bot(clinic)
    admin.post("/mcp/alerts/me", {"telegram_id": "7000000009"})

    assert told("alerts' addressee changed") == {"by_email": [True, False], "telegram_id": "changed"}


def test_a_pause_of_all_sending_tells_since_when(api: Program, admin: Client) -> None:
    admin.post("/mcp/pause")
    api.post("/api/mcp/resume", {})

    paused, resumed = told("sending paused"), told("sending resumed")
    assert paused["sending_paused_at"] == list(reversed(resumed["sending_paused_at"]))  # type: ignore[call-overload]


def test_the_planners_work_after_an_act_is_one_entry_for_the_series(api: Program, ana: Patient) -> None:
    series = a_daily(api, ana, timezone="patient", starts_at=f"{tomorrow()}T09:00")

    api.patch(f"/patients/{ana.id}", {"timezone": "Asia/Tokyo"})

    [entry] = AuditEntry.objects.filter(subject_kind="plan")
    assert (entry.actor_kind, entry.actor_name, str(entry.subject_id)) == ("service", "planner", series)
    assert "moved" in entry.changes
    assert entry.changes["patient"] == [None, str(ana.id)]


def test_the_planners_work_is_nobodys_change_of_the_series(api: Program, ana: Patient) -> None:
    series = a_daily(api, ana, timezone="patient", starts_at=f"{tomorrow()}T09:00")
    api.patch(f"/patients/{ana.id}", {"timezone": "Asia/Tokyo"})

    refused = api.patch(f"/schedules/{series}", {"late_after": "PT2H"}, if_match='"old"')

    assert "schedule created" in refused.json["detail"]
