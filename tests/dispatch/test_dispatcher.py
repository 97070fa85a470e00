"""The dispatcher as a real process, against a Bot API server that keeps a ledger of what arrived."""

import asyncio
import datetime as dt
import itertools
import signal
import subprocess
from collections.abc import Iterator

import pytest
from aiohttp import web
from django.utils.timezone import now as present

from companion.clinics.models import Bot, Clinic, Closed
from companion.patients.models import Consent
from companion.patients.reach import Why
from companion.planning import acts
from companion.schedules.models import Attempt, AttemptOutcome, Lane, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import a_bot, a_caller, a_clinic, a_patient
from tests.dispatch.outcomes import due, ended, status
from tests.support import session
from tests.support.rates import most_in_a_second
from tests.support.services import a_service, eventually, stop
from tests.support.stand_in import Arrival, StandIn, refusal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dispatcher(environment: dict[str, str], clinic: Clinic) -> Iterator["subprocess.Popen[bytes]"]:
    with a_service("dispatcher", environment) as process:
        yield process


def test_a_due_message_arrives_and_is_recorded(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    patient = a_patient(clinic)
    message = due(patient, text="Dear {first_name}, take your tablet.")

    eventually(lambda: ended(message))

    assert status(message) == (Status.SENT, "")
    assert [(arrival.chat, arrival.text) for arrival in telegram.arrivals] == [
        (patient.telegram_id, "Dear Ana, take your tablet.")
    ]
    assert Attempt.objects.get(message=message).text == "Dear Ana, take your tablet."


def test_a_message_leaves_at_its_time_and_never_early(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    at = present() + dt.timedelta(seconds=3)
    message = due(a_patient(clinic), due_at=at, ready_at=at)

    eventually(lambda: ended(message))

    assert telegram.arrivals[0].at >= at.timestamp()


def test_send_now_wakes_the_dispatcher(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    first = due(a_patient(clinic))
    eventually(lambda: ended(first))
    message = due(a_patient(clinic), **_in_an_hour())

    acts.send_now(a_caller(clinic), message, now=present())

    eventually(lambda: ended(message))
    assert status(message) == (Status.SENT, "")


def test_a_patient_who_may_get_no_message_gets_no_message(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    withdrawn = due(a_patient(clinic, consent=Consent.WITHDRAWN))
    without_id = due(a_patient(clinic, telegram_id=None))

    eventually(lambda: ended(withdrawn) and ended(without_id))

    assert status(withdrawn) == (Status.FAILED, Reason.OPTED_OUT)
    assert status(without_id) == (Status.FAILED, Reason.NO_TELEGRAM_ID)
    assert telegram.arrivals == []


def test_a_blocked_bot_marks_the_patient_and_a_later_success_clears_the_mark(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    patient = a_patient(clinic)
    telegram.answer = lambda arrival: _soon(refusal(403, "Forbidden: bot was blocked by the user"))
    message = due(patient)
    eventually(lambda: ended(message))
    patient.refresh_from_db()
    assert (status(message)[1], patient.trouble) == (Reason.BLOCKED, Why.BLOCKED)

    telegram.answer = None
    again = due(patient)
    eventually(lambda: ended(again))

    patient.refresh_from_db()
    assert (status(again)[0], patient.trouble) == (Status.SENT, "")


def test_a_passing_fault_is_tried_again_until_it_arrives(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    async def answer(arrival: Arrival) -> web.StreamResponse:
        return refusal(502, "Bad Gateway") if arrival.number == 1 else telegram.yes(arrival)

    telegram.answer = answer
    message = due(a_patient(clinic))

    eventually(lambda: ended(message))

    outcomes = list(Attempt.objects.filter(message=message).order_by("number").values_list("outcome", flat=True))
    assert outcomes == [AttemptOutcome.TRANSIENT, AttemptOutcome.SENT]


def test_a_cut_line_after_the_request_is_unknown_and_never_sent_again(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    telegram.answer = _cut
    message = due(a_patient(clinic))

    eventually(lambda: ended(message))

    assert status(message) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert len(telegram.arrivals) == 1


def test_the_whole_bot_waits_as_long_as_telegram_asks(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    asked_at: list[float] = []

    async def answer(arrival: Arrival) -> web.StreamResponse:
        if not asked_at:
            asked_at.append(arrival.at)
            return refusal(429, "Too Many Requests: retry after 2", retry_after=2)
        return telegram.yes(arrival)

    telegram.answer = answer
    messages = [due(a_patient(clinic)) for _ in range(3)]

    eventually(lambda: all(ended(message) for message in messages))

    assert {status(message) for message in messages} == {(Status.SENT, "")}
    # What had left before the answer came may arrive beside it; nothing else within the two seconds.
    early = [arrival for arrival in telegram.arrivals if asked_at[0] + 0.5 < arrival.at < asked_at[0] + 2]
    assert early == []


def test_a_refused_bot_stops_and_heals_alone(environment: dict[str, str], clinic: Clinic, telegram: StandIn) -> None:
    telegram.authorized = False
    with a_service("dispatcher", environment):
        message = due(a_patient(clinic))
        eventually(lambda: Bot.objects.get(clinic=clinic).closed_why == Closed.UNAUTHORIZED)
        assert status(message) == (Status.PENDING, "")

        telegram.authorized = True
        eventually(lambda: ended(message))

    assert status(message) == (Status.SENT, "")


def test_a_backlog_leaves_at_the_bots_rate_and_never_above_it(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    messages = [due(a_patient(clinic)) for _ in range(75)]
    with a_service("dispatcher", environment):
        eventually(lambda: all(ended(message) for message in Message.objects.filter(clinic=clinic)))

    assert len(telegram.arrivals) == len(messages)
    assert most_in_a_second(clinic) <= 30


def test_one_chat_gets_at_most_one_message_a_second(
    clinic: Clinic, telegram: StandIn, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    patient = a_patient(clinic)
    messages = [due(patient) for _ in range(3)]

    eventually(lambda: all(ended(message) for message in messages))

    # By the evidence: a stand-in that was not given a core sees two at once.
    times = list(Attempt.objects.filter(clinic=clinic).order_by("began_at").values_list("began_at", flat=True))
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= dt.timedelta(seconds=1)


def test_a_reminder_goes_before_a_broadcast_that_waits(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    broadcasts = [due(a_patient(clinic), lane=Lane.BROADCAST) for _ in range(60)]
    with a_service("dispatcher", environment):
        eventually(lambda: len(telegram.arrivals) >= 5)
        reminder = due(a_patient(clinic), **_in_an_hour())
        acts.send_now(a_caller(clinic), reminder, now=present())
        eventually(lambda: ended(reminder))
        before = len(telegram.arrivals)
        eventually(lambda: all(ended(message) for message in broadcasts))

    assert before < len(broadcasts)


def test_a_killed_dispatcher_leaves_unknown_what_it_had_begun_and_sends_it_no_second_time(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    telegram.answer = lambda arrival: _never()
    with a_service("dispatcher", environment) as process:
        message = due(a_patient(clinic))
        waits = due(a_patient(clinic), **_in_an_hour())
        eventually(lambda: telegram.arrivals)
        process.kill()
        process.wait()

    telegram.answer = None
    with a_service("dispatcher", environment):
        eventually(lambda: ended(message))

    assert status(message) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert status(waits) == (Status.PENDING, "")
    assert len(telegram.arrivals) == 1


def test_a_stopping_dispatcher_finishes_what_is_on_the_wire_and_leaves_the_rest(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    async def slowly(arrival: Arrival) -> web.StreamResponse:
        await asyncio.sleep(1)
        return telegram.yes(arrival)

    telegram.answer = slowly
    messages = [due(a_patient(clinic)) for _ in range(60)]
    with a_service("dispatcher", environment) as process:
        eventually(lambda: telegram.arrivals)
        assert stop(process, signal.SIGTERM) == 0

    assert Message.objects.filter(lease_until__isnull=False).count() == 0
    assert Attempt.objects.filter(outcome="").count() == 0
    sent = Message.objects.filter(status=Status.SENT).count()
    assert 0 < sent == len(telegram.arrivals) < len(messages)


def test_a_bot_whose_requests_hang_slows_no_other(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    stuck = a_clinic()
    bot = a_bot(stuck)

    async def answer(arrival: Arrival) -> web.StreamResponse:
        return await _never() if arrival.request.match_info["token"] == bot.token else telegram.yes(arrival)

    telegram.answer = answer
    for _ in range(20):
        due(a_patient(stuck))
    with a_service("dispatcher", environment | {"COMPANION_CONCURRENCY": "16", "COMPANION_LEASE_SECONDS": "60"}):
        # Each of the two has eight places, and these wait for their answers.
        eventually(lambda: len(telegram.arrivals) == 8)
        messages = [due(a_patient(clinic)) for _ in range(20)]
        eventually(lambda: all(ended(message) for message in messages))

    assert {status(message) for message in messages} == {(Status.SENT, "")}
    stuck_at = [arrival for arrival in telegram.arrivals if arrival.request.match_info["token"] == bot.token]
    # A message that goes ahead, after the bot has answered getMe, has a place beside the eight.
    assert 8 <= len(stuck_at) <= 10


@pytest.mark.skipif(session.on_postgresql(), reason="PostgreSQL carries many dispatchers")
def test_on_sqlite_a_second_dispatcher_is_refused(
    environment: dict[str, str], clinic: Clinic, dispatcher: "subprocess.Popen[bytes]"
) -> None:
    message = due(a_patient(clinic))
    eventually(lambda: ended(message))

    with a_service("dispatcher", environment) as second:
        assert second.wait(30) != 0


async def _soon(response: web.StreamResponse) -> web.StreamResponse:
    return response


async def _never() -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError("unreachable")


async def _cut(arrival: Arrival) -> web.StreamResponse:
    assert arrival.request.transport is not None
    arrival.request.transport.close()
    return web.Response()


def _in_an_hour() -> dict[str, object]:
    later = present() + dt.timedelta(hours=1)
    return {"due_at": later, "ready_at": later, "late_at": later + dt.timedelta(hours=1)}
