"""Random histories of a few patients and chats: a chat that said STOP gets nothing but answers to its STOP or Start.

Proved at a stand-in for Telegram, over HTTP, by what arrives there; each round begins and ends as the dispatcher's do.
"""

import asyncio
import datetime as dt
import io
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import pytest
from django.db import transaction

from companion.clinics.models import Bot
from companion.clinics.refusals import Conflict, Refused
from companion.delivery.begin import begin_round
from companion.delivery.results import result_of, write_down
from companion.listener import handling
from companion.panel import notices
from companion.patients import consent, directory, enrolment, upsert
from companion.patients.fields import read_given
from companion.patients.importing import import_csv
from companion.patients.models import Consent, Patient
from companion.patients.row_changes import Entry
from companion.planning import answers, marks
from companion.planning.short_form import send_one
from companion.telegram.client import BotToken, Client
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_patient
from tests.delivery.rounds import a_round
from tests.delivery.steps import LEASE
from tests.listener.stories import a_tap, a_text, incoming
from tests.support.stand_in import StandIn, stand_in

pytestmark = pytest.mark.django_db
CHATS: Final = (5_001, 5_002, 5_003)
ANSWERS: Final = ("Done: ", "Hello! ", "This is the bot of", "This invitation", "This chat is linked")
"""The beginnings of the answers to a STOP, and to a Start that opens nothing yet."""
ACTS: Final = (
    *("stop", "stop", "start", "invite", "start_by_link", "start_by_link", "tap", "tap"),
    *("bring", "give_chat", "leave", "come_back", "add_child", "note"),
)
STEPS: Final = 30


@dataclass
class Walk:
    """A random history, with the chats that have said STOP, and the patients who were asked for consent since."""

    bot: Bot
    server: StandIn
    client: Client
    loop: asyncio.AbstractEventLoop
    dice: random.Random
    now: dt.datetime = NOW
    stopped: set[int] = field(default_factory=set)
    asked_since: set[tuple[int, Patient]] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    reached: int = 0

    def step(self) -> str:
        """Do one random act, write to all patients, and send what may leave."""
        self.now += dt.timedelta(minutes=5)
        act = self.dice.choice(ACTS)
        getattr(self, act)()
        while found := marks.oldest():
            marks.work_off(found, now=self.now)
        self.write_to_all()
        self.round()
        return act

    def says(self, content: dict[str, object]) -> None:
        self.bot.refresh_from_db()
        update = incoming(content, self.bot.next_update_id or 500)
        handling.handle(self.bot.id, update, offset=self.bot.next_update_id, now=self.now)

    def stop(self) -> None:
        chat = self.a_chat()
        self.says(a_text(chat, self.dice.choice(["STOP", "/stop"])))
        self.stopped.add(chat)
        self.asked_since = {(where, who) for where, who in self.asked_since if where != chat}

    def start(self) -> None:
        chat = self.a_chat()
        self.says(a_text(chat, "/start"))
        self.stopped.discard(chat)
        self.note_questions(chat)

    def invite(self) -> None:
        patient = self.a_patient()
        if patient.left_at is None:
            link = enrolment.invite(a_caller(self.bot.clinic), patient, now=self.now).link
            self.links.append(link.partition("?start=")[2])

    def start_by_link(self) -> None:
        if self.links:
            chat = self.a_chat()
            self.says(a_text(chat, f"/start {self.dice.choice(self.links)}"))
            self.note_questions(chat)

    def note_questions(self, chat: int) -> None:
        """Note the patients whose question is open in the chat now: they were asked after its last STOP."""
        asked = Patient.objects.filter(telegram_id=chat, consent_asked_at__isnull=False, left_at=None)
        self.asked_since |= {(chat, patient) for patient in asked}

    def tap(self) -> None:
        chat, patient, yes = self.a_chat(), self.a_patient(), self.dice.random() < 0.6
        counts = (chat, patient) in self.asked_since and patient.telegram_id == chat and patient.left_at is None
        open_question = counts and patient.consent_asked_at is not None
        self.says(a_tap(chat, f"consent:{'yes' if yes else 'no'}:{patient.id.hex}"))
        if open_question and yes:
            self.stopped.discard(chat)

    def bring(self) -> None:
        """Import a patient with another chat."""
        patient = self.a_patient()
        row = f"{patient.external_id},{patient.name},{self.a_chat()}"
        file = io.BytesIO(f"external_id,name,telegram_id\n{row}\n".encode())
        import_csv(a_caller(self.bot.clinic), file, now=self.now)

    def give_chat(self) -> None:
        to = self.dice.choice([None, *CHATS])
        # It is another patient's, and neither is a caregiver's.
        with suppress(Refused):
            directory.change(a_caller(self.bot.clinic), self.a_patient(), {"telegram_id": to}, now=self.now)

    def leave(self) -> None:
        self.take(left=True)

    def come_back(self) -> None:
        self.take(left=False)

    def take(self, *, left: bool) -> None:
        patient = self.a_patient()
        given = read_given({"external_id": patient.external_id, "name": patient.name}, today=self.now.date())
        entry = Entry(1, given, left=left)
        upsert.store(a_caller(self.bot.clinic), [entry], "", now=self.now)

    def add_child(self) -> None:
        if Patient.objects.count() < 6:
            number = Patient.objects.count()
            values = {"external_id": f"C-{number}", "name": "Cid Silva", "telegram_id": self.a_chat()}
            directory.add(a_caller(self.bot.clinic), values | {"caregiver": "Maria"}, now=self.now)

    def note(self) -> None:
        # Who opted out comes back by Start only.
        with suppress(Conflict):
            what = self.dice.choice([Consent.GIVEN, Consent.WITHDRAWN])
            consent.note(a_caller(self.bot.clinic), self.a_patient(), what, now=self.now)

    def write_to_all(self) -> None:
        caller = a_caller(self.bot.clinic)
        for patient in Patient.objects.all():
            # Nobody plans for who has left.
            with suppress(Conflict):
                send_one(caller, patient, f"Reminder for {patient.external_id}", None, now=self.now)
        chat = self.a_chat()
        notices.by_telegram(self.bot.clinic, chat, "An alert.", now=self.now)
        # The chat has opted out, and the page says so.
        with suppress(Conflict):
            answers.from_member(caller, None, self.a_chat(), "An answer.", they_wrote=True, now=self.now)

    def round(self) -> None:
        """Run rounds until nothing leaves, since a chat gets one message a round."""
        for minute in range(20):
            at = self.now + dt.timedelta(seconds=2 * minute)
            with transaction.atomic():
                done = begin_round(a_round(self.bot), now=at)
            if not done.begun:
                return
            before = len(self.server.arrivals)
            results = []
            for attempt in done.begun:
                sent = self.client.send_message(BotToken(self.bot.token), attempt.chat, attempt.text, timeout=10)
                outcome = self.loop.run_until_complete(sent)
                results.append(result_of(attempt, outcome, now=at, lease=LEASE, failures=0, dice=self.dice))
            with transaction.atomic():
                write_down(results)
            for arrival in self.server.arrivals[before:]:
                self.reached += arrival.chat not in self.stopped
                words = arrival.text.removeprefix("For Cid: ")
                assert arrival.chat not in self.stopped or words.startswith(ANSWERS), words

    def a_chat(self) -> int:
        return self.dice.choice(CHATS)

    def a_patient(self) -> Patient:
        return self.dice.choice(list(Patient.objects.order_by("id")))


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


@pytest.mark.parametrize("seed", range(4))
def test_no_history_leads_anything_but_answers_to_a_stopped_chat(server: StandIn, seed: int) -> None:
    clinic = a_clinic()
    bot = a_bot(clinic)
    for number, chat in enumerate((*CHATS, None)):
        a_patient(clinic, "Ana Silva", external_id=f"P-{number}", telegram_id=chat)
    loop = asyncio.new_event_loop()
    client = Client(server.url)
    loop.run_until_complete(client.__aenter__())
    walk = Walk(bot, server, client, loop, random.Random(seed))
    history = []
    try:
        for _ in range(STEPS):
            history.append(walk.step())
    except AssertionError as wrong:
        pytest.fail(f"reached after {history}: {wrong}")
    finally:
        loop.run_until_complete(client.__aexit__(None, None, None))
        loop.close()

    assert walk.reached > STEPS
