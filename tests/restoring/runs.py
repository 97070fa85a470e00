"""A run with sends, replies, STOPs and edits that a disaster ends, and what is left of its database elsewhere."""

import datetime as dt
import os
import random
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.timezone import now as present

from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict
from companion.planning import acts
from companion.schedules.models import Message
from tests.builders import a_caller, a_message, a_patient
from tests.restoring.places import Place
from tests.support.services import a_service, eventually
from tests.support.stand_in import StandIn

SEED = int(os.environ.get("COMPANION_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
_BETWEEN = dt.timedelta(milliseconds=70)


@dataclass
class Run:
    """A history of events, with the values that the test remembers."""

    clinic: Clinic
    telegram: StandIn
    own: Place
    """The database that the disaster takes."""
    file: Path
    dice: random.Random = field(default_factory=lambda: random.Random(SEED))
    stops: dict[int, int] = field(default_factory=dict)
    """The id of the STOP's update, by chat."""
    since_backup: float = 0.0
    edited: int = 0

    def __post_init__(self) -> None:
        self.caller: Caller = a_caller(self.clinic, Role.PROVIDER)
        self.messages: list[Message] = []

    def plan(self, size: int) -> None:
        """Two messages to each of so many chats, one after the other."""
        first = present() + dt.timedelta(seconds=1)
        patients = [a_patient(self.clinic, f"Patient {number}") for number in range(size)]
        for number, patient in enumerate([*patients, *patients]):
            at = first + number * _BETWEEN
            late = {"due_at": at, "ready_at": at, "late_at": at + dt.timedelta(hours=1)}
            self.messages.append(a_message(patient, None, text=f"Message {number}", **late))

    def until_disaster(self) -> None:
        """Send, receive and change; make a backup at a random moment; end by kill -9 a moment later."""
        environment = environment_of(self.own, self.telegram)
        with ExitStack() as services:
            processes = [services.enter_context(a_service(name, environment)) for name in ("dispatcher", "listener")]
            self._more_arrive(self.dice.randrange(1, 20))
            self._disturb(3)
            self.own.backup(self.file)
            self.since_backup = time.time()
            self._disturb(5)
            self._more_arrive(self.dice.randrange(5, 20))
            eventually(lambda: all(map(self.telegram.is_confirmed, self.stops.values())), "every STOP worked off")
            for process in processes:
                process.kill()

    def unknown_to_the_backup(self) -> int:
        """Return how many messages arrived after the backup was made, up to now."""
        return sum(
            arrival.at > self.since_backup and number_of(arrival.text) >= 0 for arrival in self.telegram.arrivals
        )

    def after(self, place: Place, *journals: Path) -> None:
        """Restore into this place, go on there, and wait until nothing is pending."""
        place.restore(self.file, *(word for path in journals for word in ("--journal", str(path))))
        environment = environment_of(place, self.telegram)
        # The restored listener has yet to poll.
        self.telegram.confirmed = 0
        with a_service("dispatcher", environment), a_service("listener", environment):
            if not self.telegram.forgets:
                kept = self.stops.values()
                eventually(lambda: all(map(self.telegram.is_confirmed, kept)), "what Telegram still keeps")
            place.run("resume")
            eventually(lambda: not pending(place), "an end of every message")

    def check(self) -> None:
        """Check in the stand-in's ledger that nobody got a message twice."""
        numbers = Counter(number_of(arrival.text) for arrival in self.telegram.arrivals)
        numbers.pop(-1, None)
        assert max(numbers.values(), default=0) <= 1, f"sent twice (seed {SEED})"

    def check_stops(self, since: float) -> None:
        """Check in the same ledger that no chat with a STOP got a message after `since`."""
        told = {
            arrival.chat for arrival in self.telegram.arrivals if arrival.at > since and number_of(arrival.text) >= 0
        }
        assert not told & self.stops.keys(), f"a STOP was forgotten (seed {SEED})"

    def _more_arrive(self, count: int) -> None:
        enough = len(self.telegram.arrivals) + count
        eventually(lambda: len(self.telegram.arrivals) >= enough, f"{enough} arrivals")

    def _disturb(self, times: int) -> None:
        """Patients write, some of them STOP, and staff edits what is still to come."""
        chats = [message.patient.telegram_id for message in self.messages if message.patient]
        for _ in range(times):
            chat = self.dice.choice(chats)
            assert chat is not None
            self.telegram.hear(chat, "Thank you")
            stopping = self.dice.choice([chat for chat in chats if chat not in self.stops])
            assert stopping is not None
            self.stops[stopping] = self.telegram.hear(stopping, "STOP")
            self._edit(self.dice.choice(self.messages))

    def _edit(self, message: Message) -> None:
        try:
            acts.edit(self.caller, message, now=present(), new_text=f"{message.text} edited")
        except Conflict:
            # It has gone already.
            return
        self.edited += 1


def environment_of(place: Place, telegram: StandIn) -> dict[str, str]:
    """Settings for services that send quickly and soon notice a loss."""
    return place.environment | {
        "COMPANION_TELEGRAM_API_URL": telegram.url,
        "COMPANION_LEASE_SECONDS": "5",
        "COMPANION_RATE_PER_SECOND": "200",
    }


def number_of(text: str) -> int:
    """Return the number of the Message with this text; -1: an answer to a patient."""
    words = text.split()
    return int(words[1]) if words[0] == "Message" else -1


def pending(place: Place) -> object:
    """Return how many Messages of a place's database still wait."""
    return place.value("SELECT count(*) FROM schedules_message WHERE status = 'pending'")
