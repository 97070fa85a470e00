"""The limits of programs: calls a minute for each key, and calls at once for each clinic."""

import datetime as dt
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from companion.api.limits import Keys
from companion.api.models import KeyUse
from companion.clinics.api_keys import make_key
from companion.clinics.models import Clinic, Role
from companion.service.slots import CALLS, LONG, OUTSIDE, PEOPLE, Busy, Slots
from tests.api.calls import PROBLEM, Program
from tests.builders import NOW, a_clinic, a_patient
from tests.support.receivers import a_program
from tests.support.threads import at_once
from tests.web.signed_in import signed_in, words
from tests.webhooks.stories import a_webhook

pytestmark = pytest.mark.both_databases


def a_key(clinic: Clinic, name: str = "till", role: Role = Role.ADMIN) -> tuple[uuid.UUID, Program]:
    key, secret = make_key(clinic, name, role, now=NOW)
    return key.id, Program(secret)


@contextmanager
def all_taken(slots: Slots, clinic: Clinic, most: int) -> Iterator[None]:
    """Take slots as if so many calls of the clinic ran at this moment."""
    for _ in range(most):
        slots.take(clinic.id)
    try:
        yield
    finally:
        for _ in range(most):
            slots.give_back(clinic.id)


def few(settings: Settings, calls: int) -> None:
    settings.COMPANION = settings.COMPANION.model_copy(update={"calls_per_minute": calls})


def test_each_answer_to_a_key_tells_its_limit(api: Program) -> None:
    first, second = api.get("/cohorts"), api.get("/cohorts")

    assert first.headers["RateLimit-Policy"] == '"calls";q=6000;w=60'
    told = [re.fullmatch(r'"calls";r=(\d+);t=(\d+)', answer.headers["RateLimit"]) for answer in (first, second)]
    left = [int(found[1]) for found in told if found]
    assert 5990 < left[0] < 6000
    # Unless the minute has just turned.
    assert left[1] in (left[0] - 1, 5999)


def test_a_key_that_calls_too_often_waits_for_the_next_minute(clinic: Clinic, settings: Settings) -> None:
    few(settings, 6)
    _, api = a_key(clinic)

    # The minute may turn meanwhile, but not twice.
    answers = [api.get("/cohorts") for _ in range(13)]

    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.media_type == PROBLEM
    assert refused.json["detail"] == "This key has used its 6 calls of this minute."
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit"].startswith('"calls";r=0;t=')
    assert [answer.status for answer in answers[:6]] == [200] * 6


def test_one_keys_calls_take_nothing_from_another_of_the_same_clinic(clinic: Clinic, settings: Settings) -> None:
    few(settings, 1)
    (_, greedy), (_, modest) = a_key(clinic, "greedy"), a_key(clinic, "modest")
    for _ in range(5):
        greedy.get("/cohorts")

    assert modest.get("/cohorts").status == 200


@pytest.mark.parametrize("path", ["/cohorts/x", "/patients?limit=0", "/metrics"])
def test_calls_that_fail_and_metrics_count_too(clinic: Clinic, settings: Settings, path: str) -> None:
    few(settings, 2)
    _, api = a_key(clinic)

    assert 429 in [api.get(path).status for _ in range(5)]


def test_health_answers_a_key_that_has_used_its_calls_as_a_stranger(clinic: Clinic, settings: Settings) -> None:
    few(settings, 1)
    _, api = a_key(clinic)
    stranger = Client().get("/api/scheduler/health")

    answers = [api.get("/health") for _ in range(4)]

    assert {answer.status for answer in answers} == {stranger.status_code}


def test_strangers_and_members_have_no_such_limit(clinic: Clinic) -> None:
    stranger = Client().get("/api/scheduler/cohorts", headers={"Authorization": "Bearer ack_wrong"})
    member = signed_in(clinic).get("/api/scheduler/cohorts")

    assert "RateLimit" not in stranger.headers
    assert "RateLimit" not in member.headers
    assert not KeyUse.objects.exists()


def test_several_web_processes_share_the_limit_and_waste_at_most_a_twentieth_each(clinic: Clinic) -> None:
    key, _ = a_key(clinic)
    processes = [Keys() for _ in range(3)]

    may = [processes[number % 3].spend(key, 1000, now=NOW)[0] for number in range(1100)]

    assert 850 <= may.count(True) <= 1000


def test_one_process_gets_the_whole_limit(clinic: Clinic) -> None:
    key, _ = a_key(clinic)
    process = Keys()

    may = [process.spend(key, 1001, now=NOW)[0] for _ in range(1005)]

    assert may == [True] * 1001 + [False] * 4


def test_the_next_minute_begins_anew(clinic: Clinic) -> None:
    key, _ = a_key(clinic)
    process = Keys()
    spent = [process.spend(key, 3, now=NOW)[0] for _ in range(4)]

    assert spent == [True, True, True, False]
    assert process.spend(key, 3, now=NOW + dt.timedelta(seconds=60))[0]


def test_a_call_whose_clock_was_read_before_the_minute_turned_gives_no_new_calls(clinic: Clinic) -> None:
    key, _ = a_key(clinic)
    process, later = Keys(), NOW + dt.timedelta(seconds=60)
    spent = [process.spend(key, 2, now=at)[0] for at in (later, NOW, later, NOW)]

    assert spent == [True, True, False, False]


def test_a_clock_that_is_set_back_locks_no_key_out(clinic: Clinic) -> None:
    key, _ = a_key(clinic)
    process = Keys()
    while process.spend(key, 3, now=NOW)[0]:
        pass

    assert process.spend(key, 3, now=NOW - dt.timedelta(hours=1))[0]
    assert Keys().spend(key, 3, now=NOW - dt.timedelta(hours=1))[0]


@pytest.mark.django_db(transaction=True)
def test_calls_at_one_moment_never_pass_the_limit() -> None:
    key, _ = a_key(a_clinic())
    processes = [Keys(), Keys()]

    def spend_many(process: Keys) -> int:
        return sum(process.spend(key, 200, now=NOW)[0] for _ in range(60))

    got = at_once([partial(spend_many, process) for process in processes * 3])

    assert 180 <= sum(got) <= 200


def test_most_calls_cost_no_query_of_the_limit(clinic: Clinic) -> None:
    key, _ = a_key(clinic)
    process = Keys()

    for _ in range(300):
        process.spend(key, 6000, now=NOW)

    assert KeyUse.objects.get().used == 300


def test_one_clinics_programs_hold_half_of_the_threads_at_most(clinic: Clinic) -> None:
    _, ours = a_key(clinic)
    _, theirs = a_key(a_clinic())

    with all_taken(CALLS, clinic, 8):
        refused, elsewhere, person = ours.get("/cohorts"), theirs.get("/cohorts"), signed_in(clinic).get("/patients")

    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.media_type == PROBLEM
    assert (elsewhere.status, person.status_code) == (200, 200)
    assert ours.get("/cohorts").status == 200


def test_programs_of_several_clinics_leave_calls_to_another_and_threads_to_pages(clinic: Clinic) -> None:
    _, ours = a_key(clinic)
    evil = [a_clinic() for _ in range(5)]
    _, theirs = a_key(evil[0])

    with all_taken(CALLS, evil[0], 8), all_taken(CALLS, evil[1], 2):
        with pytest.raises(Busy):
            CALLS.take(evil[1].id)
        crowded, first = theirs.get("/cohorts"), ours.get("/cohorts")
        with all_taken(CALLS, evil[2], 1), all_taken(CALLS, evil[3], 1), all_taken(CALLS, clinic, 1):
            second_at_once = ours.get("/cohorts")
            person = signed_in(clinic).get("/patients")
            with all_taken(CALLS, evil[4], 1), pytest.raises(Busy):
                CALLS.take(a_clinic().id)

    assert (crowded.status, first.status) == (429, 200)
    assert (second_at_once.status, second_at_once.headers["Retry-After"]) == (429, "1")
    assert "The programs of all clinics" in second_at_once.json["detail"]
    assert person.status_code == 200
    assert ours.get("/cohorts").status == 200


def test_one_persons_pages_and_calls_leave_threads_to_others(clinic: Clinic) -> None:
    """Pages that take long, like a search through many messages, would otherwise hold the threads of all clinics."""
    admin, colleague = signed_in(clinic, Role.ADMIN), signed_in(clinic)
    person = int(admin.session["_auth_user_id"])

    for _ in range(6):
        PEOPLE.take(person)
    refused = [admin.get("/scheduled-messages"), admin.get("/api/scheduler/cohorts")]
    health, other = admin.get("/api/scheduler/health"), colleague.get("/scheduled-messages")
    for _ in range(6):
        PEOPLE.give_back(person)
    again = [admin.get(path).status_code for path in ("/scheduled-messages", "/api/scheduler/cohorts") * 7]

    assert [(answer.status_code, answer["Retry-After"]) for answer in refused] == [(429, "1")] * 2
    assert "Several of your pages are still being made." in words(refused[0])
    assert (health.status_code, other.status_code) == (200, 200)
    assert again == [200] * 14


def test_two_imports_or_exports_of_a_clinic_run_at_once(clinic: Clinic) -> None:
    _, ours = a_key(clinic)
    _, theirs = a_key(other := a_clinic())
    patient, their_patient = a_patient(clinic), a_patient(other)

    with all_taken(LONG, clinic, 2):
        refused = ours.get(f"/patients/{patient.id}/export")
        elsewhere = theirs.get(f"/patients/{their_patient.id}/export")
        short = ours.get("/cohorts")

    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert (elsewhere.status, short.status) == (200, 200)
    assert ours.get(f"/patients/{patient.id}/export").status == 200


def test_an_import_waits_for_the_others_by_program_and_by_page(clinic: Clinic) -> None:
    _, ours = a_key(clinic)
    person = signed_in(clinic, Role.ADMIN)
    auth = {"Authorization": f"Bearer {ours.key}"}

    def a_file() -> SimpleUploadedFile:
        return SimpleUploadedFile("patients.csv", b"external_id,name\nP-1,Ana\n")

    with all_taken(LONG, clinic, 2):
        answers = [
            Client().post("/api/scheduler/patients/import", {"file": a_file()}, headers=auth),
            person.post("/patients/import", {"file": a_file()}),
        ]

    assert [(answer.status_code, answer["Retry-After"]) for answer in answers] == [(429, "1"), (429, "1")]
    assert Client().post("/api/scheduler/patients/import", {"file": a_file()}, headers=auth).status_code == 200


def test_an_export_of_the_audit_trail_takes_a_slot_until_it_is_read(clinic: Clinic) -> None:
    admin = signed_in(clinic, Role.ADMIN)

    with all_taken(LONG, clinic, 2):
        refused = admin.get("/audit/export")
    begun = [admin.get("/audit/export") for _ in range(2)]
    third = admin.get("/audit/export")
    for answer in begun:
        assert answer.getvalue()

    assert (refused.status_code, third.status_code) == (429, 429)
    assert admin.get("/audit/export").getvalue()


def test_tests_that_wait_for_other_servers_leave_threads_to_other_clinics(clinic: Clinic) -> None:
    admin = signed_in(clinic, Role.ADMIN)
    with a_program() as hook:
        webhook, _ = a_webhook(clinic, hook)
        test = partial(admin.post, f"/settings/webhooks/{webhook.pk}/act", {"do": "test"})

        with all_taken(OUTSIDE, clinic, 2):
            answers = [test(), admin.post("/mcp/alerts/test", {"way": "webhook"})]

        assert [answer.status_code for answer in answers] == [429, 429]
        assert test().status_code == 302


def test_every_answer_gives_its_slot_back_also_errors_and_streams(clinic: Clinic) -> None:
    _, api = a_key(clinic)
    patient = a_patient(clinic)

    for _ in range(10):
        api.get(f"/patients/{uuid.uuid4()}")
        api.get("/patients?limit=x")
        api.call("POST", "/cohorts", raw=b"{")
        path = f"/api/scheduler/patients/{patient.id}/export?format=zip"
        zipped = Client().get(path, headers={"Authorization": f"Bearer {api.key}"})
        assert b"".join(zipped)

    assert api.get("/cohorts").status == 200
    assert api.get(f"/patients/{patient.id}/export").status == 200
