"""Unknown outcomes settled by proof: real services ask a Bot API server that numbers all messages by one counter."""

import datetime as dt
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from django.utils.timezone import now as present

from companion.clinics.models import Bot, Clinic, Role
from companion.panel.models import AlertContact
from companion.patients.models import Patient
from companion.schedules.models import Attempt, AttemptOutcome, IfUnknown, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import a_bot, a_clinic, a_member, a_patient
from tests.cli.running import a_command
from tests.dispatch.outcomes import due, status
from tests.support.services import a_service, eventually
from tests.support.stand_in import Arrival, StandIn

pytestmark = pytest.mark.django_db(transaction=True)
LONG_SINCE = dt.timedelta(days=1)


@pytest.fixture
def clinic() -> Clinic:
    clinic = a_clinic()
    a_bot(clinic, numbers_since=present() - LONG_SINCE)
    return clinic


@contextmanager
def services(environment: dict[str, str]) -> Iterator[None]:
    with a_service("dispatcher", environment), a_service("listener", environment):
        yield


def chat_of(patient: Patient) -> int:
    assert patient.telegram_id
    return patient.telegram_id


def sent(patient: Patient) -> Message:
    """Send a message that Telegram takes."""
    message = due(patient)
    eventually(lambda: status(message) == (Status.SENT, ""))
    return message


def sent_long_since(patient: Patient) -> None:
    """Send a message from which the numbers of this bot are known, and which no later proof concerns."""
    message, at = sent(patient), present() - LONG_SINCE / 2
    Attempt.objects.filter(message=message).update(began_at=at, ended_at=at)


def leases_are_over(*messages: Message) -> None:
    """Let the Attempts of these messages have begun a minute ago, so that "not found" counts."""
    at = present() - dt.timedelta(minutes=1)
    Attempt.objects.filter(message__in=messages).update(began_at=at, ended_at=at)


def a_patient_writes(clinic: Clinic, telegram: StandIn, patient: Patient) -> None:
    """Let the patient's own message take a number."""
    telegram.hear(chat_of(patient), "Hello")
    eventually(Bot.objects.get(clinic=clinic).heard_numbers.exists)


def asked_of(telegram: StandIn, chat: int) -> list[int]:
    return [edit.number for edit in telegram.edits if edit.chat == chat]


def traceless(message: Message) -> bool:
    message.refresh_from_db()
    return message.no_trace_at is not None


class Faulty:
    """Answer as Telegram does, but cut the line for the given chats."""

    def __init__(self, telegram: StandIn) -> None:
        self.telegram = telegram
        self.takes: set[int] = set()
        """Chats that get their message although the sender's line is cut."""
        self.loses: set[int] = set()
        """Chats that get nothing."""
        telegram.answer = self.answer

    async def answer(self, arrival: Arrival) -> web.StreamResponse:
        if arrival.chat in self.takes:
            self.telegram.deliver(arrival)
        elif arrival.chat not in self.loses:
            return self.telegram.yes(arrival)
        assert arrival.request.transport is not None
        arrival.request.transport.close()
        return web.Response()


def test_a_message_whose_answer_was_lost_is_found_in_its_chat(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    faulty, ana = Faulty(telegram), a_patient(clinic)
    faulty.takes = {chat_of(ana)}
    with services(environment):
        sent_long_since(a_patient(clinic))

        # No later number is known, so the next number may be this message's.
        message = due(ana, buttons=[[{"text": "Taken", "callback_data": "x"}]])
        eventually(lambda: status(message) == (Status.SENT, ""), "a proof")

    assert message.telegram_message_id == 2
    assert Attempt.objects.get(message=message).telegram_message_id == 2
    assert telegram.chats().count(chat_of(ana)) == 1


def test_of_messages_that_no_chat_holds_some_are_reported_without_a_trace_and_others_are_sent_again(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    faulty = Faulty(telegram)
    ben, cem, dora = (a_patient(clinic) for _ in range(3))
    faulty.loses = {chat_of(ben), chat_of(cem)}
    with services(environment):
        sent_long_since(dora)
        lost, again = due(ben), due(cem, if_unknown=IfUnknown.RESEND)
        eventually(lambda: status(lost) == (Status.FAILED, Reason.OUTCOME_UNKNOWN))
        eventually(lambda: Message.objects.get(pk=again.pk).resends == 1)
        a_patient_writes(clinic, telegram, dora)
        assert not traceless(lost)
        faulty.loses = set()
        eventually(lambda: asked_of(telegram, chat_of(ben)), "a question about the chat")
        leases_are_over(lost, again)
        sent(dora)

    # A dispatcher that starts looks at once, and goes on where the other has stopped.
    with services(environment):
        eventually(lambda: traceless(lost), "no trace")
        eventually(lambda: status(again) == (Status.SENT, ""), "a second try")

    assert status(lost) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert (telegram.chats().count(chat_of(ben)), telegram.chats().count(chat_of(cem))) == (1, 2)
    outcomes = Attempt.objects.filter(message=again).order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [AttemptOutcome.UNKNOWN, AttemptOutcome.SENT]
    assert all(later.at - sooner.at >= 0.9 for sooner, later in itertools.pairwise(telegram.edits))


def test_the_doctor_finds_that_this_server_behaves_as_the_proof_assumes(
    environment: dict[str, str], clinic: Clinic, tmp_path: Path
) -> None:
    AlertContact.objects.create(clinic=clinic, member=a_member(clinic, Role.ADMIN), telegram_id=5_800_000_001)

    with services(environment):
        # One of the checks asks for a number of another chat.
        sent(a_patient(clinic))
        checked = a_command("doctor", "--probe-ids", environment=environment, folder=tmp_path)

    assert (checked.returncode, checked.stdout.count("✓")) == (0, 6), checked.stdout + checked.stderr


def test_the_doctor_sends_nothing_unless_an_admin_has_given_a_chat(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn, tmp_path: Path
) -> None:
    checked = a_command("doctor", "--probe-ids", environment=environment, folder=tmp_path)

    assert checked.returncode == 2
    assert "No such admin of this clinic has entered a Telegram ID." in checked.stderr
    assert not Message.objects.exists()
