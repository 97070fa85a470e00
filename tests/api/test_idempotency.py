"""A creating POST that is sent twice with the same Idempotency-Key creates once, also after a crash in between."""

import datetime as dt

import pytest
from django.test import override_settings
from pytest_django import Settings

from companion.api import idempotency
from companion.api.idempotency import StoredAnswer, once
from companion.api.models import IdempotentCall
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.service import old_rows
from tests.api.calls import Program, a_program
from tests.api.moments import at_one_moment
from tests.builders import a_bot, a_caller, a_patient
from tests.clinics.rings import use_newer

SECOND = dt.timedelta(seconds=1)


def test_the_same_call_again_gets_the_first_answer(api: Program) -> None:
    first = api.post("/cohorts", {"name": "Diabetes"}, key="k")

    second = api.post("/cohorts", {"name": "Diabetes"}, key="k")

    assert (second.status, second.text) == (201, first.text)


def test_the_same_call_again_creates_nothing(clinic: Clinic, api: Program) -> None:
    body = {"patient": str(a_patient(clinic).id), "text": "Hello"}
    first = api.post("/messages", body, key="k")
    # The order of the fields makes no difference.
    second = api.post("/messages", dict(reversed(body.items())), key="k")

    assert second.json == first.json
    assert second.headers["Location"] == f"/api/scheduler/messages/{first.json['id']}"
    assert clinic.messages.count() == 1


def test_a_key_used_with_another_body_is_refused(api: Program) -> None:
    api.post("/cohorts", {"name": "Diabetes"}, key="k")

    answer = api.post("/cohorts", {"name": "Asthma"}, key="k")

    assert (answer.status, answer.wrong_fields) == (422, ["Idempotency-Key"])


def test_a_key_used_for_another_call_is_refused(clinic: Clinic, api: Program) -> None:
    ana, ben = a_patient(clinic), a_patient(clinic, "Ben")
    a_bot(clinic)
    api.post(f"/patients/{ana.id}/enrolment", {}, key="k")

    assert api.post(f"/patients/{ben.id}/enrolment", {}, key="k").status == 422


def test_a_thief_of_the_database_alone_can_not_try_which_text_a_call_had(clinic: Clinic, api: Program) -> None:
    body = {"patient": str(a_patient(clinic).id), "text": "Your test is positive."}
    api.post("/messages", body, key="k")
    stored = IdempotentCall.objects.get().request_hash

    with override_settings(SECRET_KEY="another"):
        guessed = idempotency.digests_of("POST /api/scheduler/messages", body)

    assert stored in idempotency.digests_of("POST /api/scheduler/messages", body)
    assert stored not in guessed


@pytest.mark.parametrize("when", ["before this key", "before keyed digests"])
def test_a_call_from_before_a_change_of_the_digest_gets_the_first_answer(
    clinic: Clinic, api: Program, settings: Settings, when: str
) -> None:
    first = api.post("/cohorts", {"name": "Diabetes"}, key="k")
    if when == "before this key":
        use_newer(settings)
    else:
        plain = idempotency.digests_of("POST /api/scheduler/cohorts", {"name": "Diabetes"})[-1]
        IdempotentCall.objects.update(request_hash=plain)

    second = api.post("/cohorts", {"name": "Diabetes"}, key="k")

    assert (second.status, second.text) == (201, first.text)


def test_two_programs_may_use_the_same_key(clinic: Clinic, api: Program) -> None:
    api.post("/cohorts", {"name": "Diabetes"}, key="k")

    assert a_program(clinic).post("/cohorts", {"name": "Asthma"}, key="k").status == 201


def test_a_refused_call_leaves_its_key_free_for_the_corrected_body(api: Program) -> None:
    assert api.post("/cohorts", {"name": ""}, key="k").status == 422

    assert api.post("/cohorts", {"name": "Diabetes"}, key="k").status == 201


def test_a_call_refused_by_a_room_below_leaves_its_key_free(api: Program) -> None:
    api.post("/cohorts", {"name": "Diabetes"})
    assert api.post("/cohorts", {"name": "Diabetes"}, key="k").status == 422

    assert api.post("/cohorts", {"name": "Asthma"}, key="k").status == 201


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "schlüssel", "two words"])
def test_a_key_that_is_none_is_refused(api: Program, key: str) -> None:
    answer = api.post("/cohorts", {"name": "Diabetes"}, key=key)

    assert (answer.status, answer.wrong_fields) == (422, ["Idempotency-Key"])


def test_a_key_is_free_again_after_a_day(clinic: Clinic, now: dt.datetime) -> None:
    caller, made = a_caller(clinic), Made()
    once(caller, "k", "POST /x", {}, made, now=now)

    once(caller, "k", "POST /x", {}, made, now=now + idempotency.KEPT + SECOND)

    assert made.times == 2


def test_an_old_answer_goes_although_the_clinics_programs_call_no_more(clinic: Clinic, now: dt.datetime) -> None:
    made = Made()
    once(a_caller(clinic), "k", "POST /x", {}, made, now=now)

    old_rows.drop(now=now + idempotency.KEPT)
    kept = IdempotentCall.objects.count()
    old_rows.drop(now=now + idempotency.KEPT + SECOND)

    assert (kept, IdempotentCall.objects.count()) == (1, 0)


def test_while_the_first_call_runs_the_second_is_told_so(clinic: Clinic, now: dt.datetime) -> None:
    caller = a_caller(clinic)
    a_claim(caller, created_at=now)

    with pytest.raises(Conflict):
        once(caller, "k", "POST /x", {}, Made(), now=now + SECOND)


def test_a_call_left_unfinished_by_a_crash_is_taken_over(clinic: Clinic, now: dt.datetime) -> None:
    caller, made = a_caller(clinic), Made()
    a_claim(caller, created_at=now)

    once(caller, "k", "POST /x", {}, made, now=now + idempotency.TAKEN_OVER + SECOND)

    assert made.times == 1


def test_one_that_was_taken_over_creates_nothing_when_it_wakes_up(clinic: Clinic, now: dt.datetime) -> None:
    caller, slow, quick = a_caller(clinic), Made(), Made()
    claim = idempotency._claim(caller, "k", digests(), now)
    once(caller, "k", "POST /x", {}, quick, now=now + idempotency.TAKEN_OVER + SECOND)

    with pytest.raises(Conflict):
        idempotency._run(claim, slow)

    assert (slow.times, quick.times) == (0, 1)


def test_a_created_object_is_gone_with_its_answer_if_storing_fails(clinic: Clinic, now: dt.datetime) -> None:
    caller = a_caller(clinic)

    def create() -> StoredAnswer:
        clinic.cohorts.create(name="Diabetes", created_at=now)
        raise Refused(Problem("name", "No."))

    with pytest.raises(Refused):
        once(caller, "k", "POST /x", {}, create, now=now)

    assert not clinic.cohorts.exists()
    assert not IdempotentCall.objects.filter(clinic=clinic).exists()


@pytest.mark.django_db(transaction=True)
def test_eight_calls_at_one_moment_create_once(request: pytest.FixtureRequest) -> None:
    clinic: Clinic = request.getfixturevalue("clinic")
    api = a_program(clinic, Role.PROVIDER)
    body = {"patient": str(a_patient(clinic).id), "text": "Hello"}

    # As many as one clinic may make at once (api/limits.py).
    statuses = at_one_moment(8, lambda: api.post("/messages", body, key="k").status)

    assert set(statuses) <= {201, 409}
    assert clinic.messages.count() == 1


class Made:
    """A stand-in for a new object. It counts how often it was made."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> StoredAnswer:
        self.times += 1
        return StoredAnswer(201, "{}")


def digests() -> list[str]:
    """The digests of the call that these tests make."""
    return idempotency.digests_of("POST /x", {})


def a_claim(caller: Caller, *, created_at: dt.datetime) -> IdempotentCall:
    assert caller.id
    return IdempotentCall.objects.create(
        clinic=caller.clinic, owner_id=caller.id, key="k", request_hash=digests()[0], created_at=created_at
    )
