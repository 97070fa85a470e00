"""Unknown outcomes settled by proof: real services ask a Bot API server that numbers all messages by one counter."""

import datetime as dt
import itertools
import subprocess
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


def sent(patient: Patient) -> Message:
    """Send a message that Telegram takes."""
    message = due(patient)
    eventually(lambda: status(message) == (Status.SENT, ""))
    return message


def traceless(message: Message) -> bool:
    message.refresh_from_db()
    return message.no_trace_at is not None


class Faulty:
    """Answers as Telegram does, but cuts the line for the chats that it is told."""

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


def test_unknown_outcomes_are_settled_by_what_the_chats_hold(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn, tmp_path: Path
) -> None:
    faulty = Faulty(telegram)
    ana, ben, cem, dora = (a_patient(clinic) for _ in range(4))
    taken_chat, lost_chat, again_chat = ana.telegram_id, ben.telegram_id, cem.telegram_id
    assert taken_chat
    assert lost_chat
    assert again_chat
    faulty.takes, faulty.loses = {taken_chat}, {lost_chat, again_chat}
    with a_service("dispatcher", environment), a_service("listener", environment):
        before = sent(dora)
        Attempt.objects.filter(message=before).update(
            began_at=present() - LONG_SINCE / 2, ended_at=present() - LONG_SINCE / 2
        )

        # The answer is lost after the delivery: the number is found, without any later number.
        buttons = [[{"text": "Taken", "callback_data": "x"}]]
        taken = due(ana, buttons=buttons)
        eventually(lambda: status(taken) == (Status.SENT, ""), "a proof")
        assert taken.telegram_message_id == 2
        assert Attempt.objects.get(message=taken).telegram_message_id == 2
        assert telegram.chats().count(taken_chat) == 1

        # The requests are lost before the delivery. A patient's own message takes a number.
        lost, again = due(ben), due(cem, if_unknown=IfUnknown.RESEND)
        eventually(lambda: status(lost) == (Status.FAILED, Reason.OUTCOME_UNKNOWN))
        eventually(lambda: Message.objects.get(pk=again.pk).resends == 1)
        telegram.hear(dora.telegram_id or 0, "Hello")
        eventually(Bot.objects.get(clinic=clinic).heard_numbers.exists)
        assert not traceless(lost)
        faulty.loses = set()
        eventually(lambda: telegram.edits and len(asked_of(telegram, lost_chat)) >= 1)
        last = due(dora)
        eventually(lambda: status(last) == (Status.SENT, ""))
        eventually(lambda: traceless(lost), "no trace")

        # It goes again by itself where its schedule says so.
        eventually(lambda: status(again) == (Status.SENT, ""))

        # The doctor finds that this server behaves as all of it assumes.
        checked = the_doctor(environment, clinic, tmp_path)
        assert (checked.returncode, checked.stdout.count("✓")) == (0, 6), checked.stdout + checked.stderr

    assert status(lost) == (Status.FAILED, Reason.OUTCOME_UNKNOWN)
    assert telegram.chats().count(lost_chat) == 1
    assert telegram.chats().count(again_chat) == 2
    outcomes = Attempt.objects.filter(message=again).order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [AttemptOutcome.UNKNOWN, AttemptOutcome.SENT]
    # The doctor asks four times, at the bot's rate and not as a prober.
    probes = telegram.edits[:-4]
    assert all(later.at - sooner.at >= 0.9 for sooner, later in itertools.pairwise(probes))


def the_doctor(environment: dict[str, str], clinic: Clinic, folder: Path) -> "subprocess.CompletedProcess[str]":
    """`companion doctor --probe-ids`, for an admin who has given a Telegram ID for alerts."""
    admin = a_member(clinic, Role.ADMIN)
    AlertContact.objects.create(clinic=clinic, member=admin, telegram_id=5_800_000_001)
    return a_command("doctor", "--probe-ids", environment=environment, folder=folder)


def test_the_doctor_sends_nothing_unless_an_admin_has_given_a_chat(
    environment: dict[str, str], clinic: Clinic, telegram: StandIn, tmp_path: Path
) -> None:
    checked = a_command("doctor", "--probe-ids", environment=environment, folder=tmp_path)

    assert checked.returncode == 2
    assert "No such admin of this clinic has given a Telegram ID." in checked.stderr
    assert not Message.objects.exists()


def asked_of(telegram: StandIn, chat: int) -> list[int]:
    return [edit.number for edit in telegram.edits if edit.chat == chat]
