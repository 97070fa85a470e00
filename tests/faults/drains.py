"""Drains under faults, and the checker that reads both ledgers: what arrived at the stand-in, and our tables."""

import datetime as dt
import os
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.timezone import now as present

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.schedules.models import Attempt, Message, Status
from companion.schedules.reasons import Reason
from tests.builders import a_message, a_patient
from tests.support.services import eventually
from tests.support.stand_in import StandIn

ROUNDS = int(os.environ.get("COMPANION_FAULT_ROUNDS", "3"))
"""The number of rounds of each fault; `make faults` asks for more."""
SEED = int(os.environ.get("COMPANION_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@dataclass(frozen=True, slots=True)
class Toll:
    """The results of a drain."""

    sent: int
    unknown: int
    failed: int
    arrived: int


TOLLS: dict[str, Toll] = {}
"""The results of each test's drain, for the table in the end."""


def fast(environment: Mapping[str, str], telegram: StandIn) -> dict[str, str]:
    """A dispatcher's environment with much on the wire at once, and leases that run out soon."""
    return dict(environment) | {
        "COMPANION_TELEGRAM_API_URL": telegram.url,
        "COMPANION_LEASE_SECONDS": "5",
        "COMPANION_RATE_PER_SECOND": "200",
        "COMPANION_CONCURRENCY": "20",
    }


def a_backlog(clinic: Clinic, size: int) -> list[Message]:
    """Due messages to as many chats, each with a text that names it."""
    at = present()
    patients = [a_patient(clinic, f"Patient {number}") for number in range(size)]
    return [_due(patient, at, f"Message {number}") for number, patient in enumerate(patients)]


def drained(clinic: Clinic) -> None:
    """Wait until nothing is pending any more."""
    pending = Message.objects.filter(clinic=clinic, status=Status.PENDING)
    eventually(lambda: not pending.exists(), "an end of every message")


def check(clinic: Clinic, telegram: StandIn) -> Toll:
    """Check that nothing is sent twice or lost and every unknown is accounted for. Fails with the seed of the round."""
    arrived = Counter(arrival.text for arrival in telegram.arrivals)
    messages = list(Message.objects.filter(clinic=clinic))
    sent = [message for message in messages if message.status == Status.SENT]
    unknown = [message for message in messages if message.reason == Reason.OUTCOME_UNKNOWN]
    told = f"seed {SEED}"
    assert max(arrived.values(), default=0) <= 1, f"sent twice ({told})"
    assert all(arrived[str(message.text)] == 1 for message in sent), f"sent, but never arrived ({told})"
    accounted = {str(message.text) for message in (*sent, *unknown)}
    assert set(arrived) <= accounted, f"arrived, but neither sent nor unknown ({told})"
    assert not Attempt.objects.filter(clinic=clinic, outcome="").exists(), f"an attempt was never closed ({told})"
    failed = sum(message.status == Status.FAILED for message in messages)
    toll = Toll(len(sent), len(unknown), failed, sum(arrived.values()))
    TOLLS[os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition(" ")[0]] = toll
    return toll


def _due(patient: Patient, at: dt.datetime, text: str) -> Message:
    return a_message(patient, None, due_at=at, ready_at=at, late_at=at + dt.timedelta(hours=1), text=text)
