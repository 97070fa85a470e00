"""Acts of admins from the Control Panel: on its pages, by the API, and what stays written down."""

import datetime as dt

import pytest
from django.test import Client

from companion.clinics.models import AuditEntry, Clinic, Member, Role
from companion.clinics.refusals import Conflict, Refused
from companion.panel import actions
from companion.panel.actions import Decision
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.api.calls import a_program
from tests.builders import NOW, a_caller, a_clinic, a_member, a_message, a_patient
from tests.panel.stories import ago
from tests.web.signed_in import signed_in, words

pytestmark = pytest.mark.django_db


def failed(clinic: Clinic, reason: Reason, *, at: dt.datetime = NOW) -> Message:
    return a_message(a_patient(clinic), due_at=at, status=Status.FAILED, reason=reason, ended_at=at)


def test_a_pause_says_what_will_be_lost_by_when() -> None:
    patient = a_patient(a_clinic())
    a_message(patient, due_at=ago(minutes=30))
    a_message(patient, due_at=NOW + dt.timedelta(hours=2))

    found = actions.losses(patient.clinic, now=NOW)

    assert [loss.count for loss in found] == [1, 2, 2, 2]


def test_pausing_and_resuming_are_written_down_with_who_did_it() -> None:
    clinic = a_clinic()
    admin = a_caller(clinic, Role.ADMIN)

    actions.pause(admin, now=NOW)
    actions.resume(admin, now=NOW)

    done = AuditEntry.objects.filter(clinic=clinic).values_list("action", "actor_name")
    assert sorted(done) == [("sending paused", admin.name), ("sending resumed", admin.name)]


def test_a_second_pause_is_told_that_it_came_too_late() -> None:
    admin = a_caller(a_clinic(), Role.ADMIN)
    actions.pause(admin, now=NOW)

    with pytest.raises(Conflict):
        actions.pause(admin, now=NOW)


def test_the_page_asks_before_it_pauses() -> None:
    clinic = a_clinic()
    browser = signed_in(clinic, Role.ADMIN)

    asked = words(browser.get("/mcp/pause"))
    clinic.refresh_from_db()

    assert "Nothing is lost if you resume by" in asked
    assert clinic.sending_paused_at is None


def test_the_second_press_pauses_and_the_page_offers_to_resume() -> None:
    browser = signed_in(a_clinic(), Role.ADMIN)

    browser.post("/mcp/pause")

    assert "Resume sending" in words(browser.get("/mcp"))


@pytest.mark.parametrize("path", ["pause", "resume", "retry/gave_up", "unknown"])
def test_a_provider_is_refused(path: str) -> None:
    assert signed_in(a_clinic(), Role.PROVIDER).get(f"/mcp/{path}").status_code == 403


def test_retrying_one_code_leaves_the_others_alone() -> None:
    clinic = a_clinic()
    wanted, other = failed(clinic, Reason.GAVE_UP), failed(clinic, Reason.BLOCKED)

    retried = actions.retry_all(a_caller(clinic, Role.ADMIN), "gave_up", now=NOW)

    assert (retried.done, retried.left) == (1, 0)
    assert Message.objects.get(pk=wanted.pk).status == Status.PENDING
    assert Message.objects.get(pk=other.pk).status == Status.FAILED


def test_another_clinics_failures_are_not_retried() -> None:
    theirs = failed(a_clinic(), Reason.GAVE_UP)

    actions.retry_all(a_caller(a_clinic(), Role.ADMIN), "gave_up", now=NOW)

    assert Message.objects.get(pk=theirs.pk).status == Status.FAILED


@pytest.mark.parametrize("reason", ["outcome_unknown", "opted_out", "nonsense"])
def test_messages_that_must_not_go_out_twice_or_at_all_are_not_retried_all_at_once(reason: str) -> None:
    with pytest.raises(Refused):
        actions.retry_all(a_caller(a_clinic(), Role.ADMIN), reason, now=NOW)


def test_an_unknown_outcome_is_asked_about_until_somebody_decides() -> None:
    clinic = a_clinic()
    message = failed(clinic, Reason.OUTCOME_UNKNOWN)
    asked = list(actions.undecided(clinic, now=NOW))

    actions.decide(a_caller(clinic, Role.ADMIN), message, Decision.ARRIVED, now=NOW)

    assert asked == [message]
    assert not actions.undecided(clinic, now=NOW)


def test_a_patients_word_makes_no_message_sent() -> None:
    clinic = a_clinic()
    message = failed(clinic, Reason.OUTCOME_UNKNOWN)

    actions.decide(a_caller(clinic, Role.ADMIN), message, Decision.ARRIVED, now=NOW)

    assert Message.objects.get().status == Status.FAILED


def test_sending_an_unknown_one_again_is_said_to_arrive_twice_perhaps() -> None:
    clinic = a_clinic()
    message = failed(clinic, Reason.OUTCOME_UNKNOWN, at=dt.datetime.now(dt.UTC))
    browser = signed_in(clinic, Role.ADMIN)

    asked = words(browser.get(f"/mcp/unknown/{message.id}/resend"))
    browser.post(f"/mcp/unknown/{message.id}/resend")

    assert "may get it twice" in asked
    assert Message.objects.get().status == Status.PENDING


def test_another_clinics_message_is_not_there_to_decide() -> None:
    message = failed(a_clinic(), Reason.OUTCOME_UNKNOWN)

    assert signed_in(a_clinic(), Role.ADMIN).post(f"/mcp/unknown/{message.id}/resend").status_code == 404


def test_programs_pause_and_resume_too() -> None:
    program = a_program(a_clinic(), Role.ADMIN)

    answers = [program.post(f"/api/mcp/{deed}", {}).status for deed in ("pause", "pause", "resume")]

    assert answers == [200, 409, 200]


def test_programs_retry_all_of_one_code() -> None:
    clinic = a_clinic()
    failed(clinic, Reason.TOO_LATE, at=dt.datetime.now(dt.UTC))

    answer = a_program(clinic, Role.ADMIN).post("/api/mcp/retry", {"reason": "too_late"})

    assert answer.json == {"done": 1, "left": 0}


def test_an_admin_of_several_clinics_pauses_and_resumes_them_all_with_one_press_each() -> None:
    admin = a_member(a_clinic(name="Linden"), Role.ADMIN)
    others = [a_clinic(name="Birch"), a_clinic(name="Oak")]
    for other, role in zip(others, (Role.ADMIN, Role.PROVIDER), strict=True):
        Member.objects.create(clinic=other, user=admin.user, role=role, created_at=NOW, joined_at=NOW)
    browser = Client()
    browser.force_login(admin.user)
    asked = words(browser.get("/mcp/pause"))

    browser.post("/mcp/pause", {"everywhere": "yes"})
    paused = set(Clinic.objects.filter(sending_paused_at__isnull=False).values_list("name", flat=True))
    browser.post("/mcp/resume", {"everywhere": "yes"})

    assert ("Birch: 0 by" in asked, "Oak:" in asked) == (True, False)
    assert len(paused) == 2
    assert not Clinic.objects.filter(sending_paused_at__isnull=False).exists()
    assert AuditEntry.objects.filter(action="sending paused").count() == 2


def test_programs_are_told_what_a_pause_would_cost() -> None:
    patient = a_patient(a_clinic())
    a_message(patient, due_at=dt.datetime.now(dt.UTC))

    answer = a_program(patient.clinic, Role.VIEWER).get("/api/mcp/pause")

    assert [loss["count"] for loss in answer.json["losses"]][-1] == 1


def test_programs_decide_what_is_unknown() -> None:
    clinic = a_clinic()
    program = a_program(clinic, Role.ADMIN)
    message = failed(clinic, Reason.OUTCOME_UNKNOWN, at=dt.datetime.now(dt.UTC))
    asked = [message["id"] for message in program.get("/api/mcp/unknown").json["items"]]

    answers = [program.post(f"/api/mcp/unknown/{message.id}", {"decision": "arrived"}).status for _ in range(2)]

    assert (asked, answers) == ([str(message.id)], [200, 409])
    assert program.get("/api/mcp/unknown").json["items"] == []


def test_programs_cannot_decide_for_another_clinic() -> None:
    theirs = failed(a_clinic(), Reason.OUTCOME_UNKNOWN)

    answer = a_program(a_clinic(), Role.ADMIN).post(f"/api/mcp/unknown/{theirs.id}", {"decision": "resend"})

    assert answer.status == 404


def test_a_program_is_no_person_to_send_a_test_to() -> None:
    answer = a_program(a_clinic(), Role.ADMIN).post("/api/mcp/test", {"way": "telegram"})

    assert answer.status == 409


def test_a_message_that_arrived_by_a_patients_word_is_not_sent_again_from_an_old_page() -> None:
    clinic = a_clinic()
    message = failed(clinic, Reason.OUTCOME_UNKNOWN)
    admin = a_caller(clinic, Role.ADMIN)
    actions.decide(admin, message, Decision.ARRIVED, now=NOW)

    with pytest.raises(Conflict):
        actions.decide(admin, message, Decision.RESEND, now=NOW)

    assert Message.objects.get().status == Status.FAILED


def test_only_what_is_unknown_is_decided_about() -> None:
    clinic = a_clinic()
    message = failed(clinic, Reason.REJECTED)

    for decision in Decision:
        with pytest.raises(Conflict):
            actions.decide(a_caller(clinic, Role.ADMIN), message, decision, now=NOW)
