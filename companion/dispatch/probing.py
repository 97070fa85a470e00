"""The prober of a bot looks for the traces of Messages whose outcome is unknown. Each bot has one such task.

It asks only while its bot has nothing to send, and at most one question a second over all dispatchers. settling.py
decides what is asked, and writes down what follows from the answer.
"""

import asyncio
import datetime as dt
import uuid
from typing import Final

import structlog

from companion.delivery import closing, settling
from companion.delivery.settling import LOOK_AGAIN, Question, Search, Step
from companion.dispatch.runner import Runner
from companion.dispatch.state import DispatcherState
from companion.service.resting import rest
from companion.telegram.client import CallFailed
from companion.telegram.methods import look_for
from companion.telegram.outcomes import Outcome, Trace

log = structlog.get_logger(__name__)
NEXT_QUESTION: Final = 1.0
"""The seconds between two steps while there is something to ask."""
_NOTHING_UNKNOWN: Final = 30.0
"""The seconds between two steps while nothing is unknown: other dispatchers may leave unknown outcomes behind."""


class Prober:
    """A task that looks for traces with the help of one bot."""

    def __init__(self, dispatcher: DispatcherState, runner: Runner) -> None:
        self._dispatcher, self._runner = dispatcher, runner
        self._put_off_until: dict[uuid.UUID, dt.datetime] = {}
        """The time until which an Attempt is left alone, by its id."""

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await rest(self._runner.doubts, await self._step())
            self._runner.doubts.clear()
            # Pause, so that a bot is asked at most once a second even if many outcomes become unknown.
            await asyncio.sleep(NEXT_QUESTION)

    async def _step(self) -> float:
        """Take one step, and return the seconds until the next step."""
        if not self._runner.is_idle:
            return NEXT_QUESTION
        now = self._dispatcher.clock.now()
        self._put_off_until = {attempt: at for attempt, at in self._put_off_until.items() if at > now}
        step = await self._dispatcher.ledger.do(lambda: settling.next_step(self._search(), now=self._now()))
        if step is None:
            return LOOK_AGAIN.total_seconds() if self._put_off_until else _NOTHING_UNKNOWN
        if step.look_again is not None:
            self._put_off_until[step.attempt] = step.look_again
        elif step.question is None:
            self._report(step)
        else:
            await self._ask(step.question)
        return 0

    def _report(self, step: Step) -> None:
        log.info("telegram shows no trace of a message", attempt=str(step.attempt), resent=step.resent)
        if step.resent:
            self._runner.wake()

    async def _ask(self, question: Question) -> None:
        await asyncio.sleep(max((question.slot - self._now()).total_seconds(), 0))
        if not self._runner.is_idle:
            return
        client, token = self._dispatcher.client, self._runner.bot.token
        self._dispatcher.on_wire += 1
        try:
            trace = await look_for(client, token, question.chat, question.number, question.buttons, question.text)
        except CallFailed as failed:
            await self._failed(question, failed.outcome)
            return
        finally:
            self._dispatcher.give_back(1)
        await self._answered(question, trace)

    async def _answered(self, question: Question, trace: Trace) -> None:
        ledger = self._dispatcher.ledger
        if trace is Trace.NOT_HERE:
            await ledger.do(lambda: settling.not_here(question, now=self._now()))
            return
        found = trace is Trace.HERE and await ledger.do(
            lambda: settling.found_here(question, self._search(), now=self._now())
        )
        if found:
            log.info("a message of unknown outcome has arrived", attempt=str(question.attempt))
        else:
            self._put_off(question)

    async def _failed(self, question: Question, outcome: Outcome) -> None:
        """Put the question off, because Telegram didn't answer it. Close the bot if the failure asks for that."""
        self._put_off(question)
        log.info("a trace could not be looked for", attempt=str(question.attempt), outcome=outcome.kind.value)
        if closed := closing.after_call(outcome, self._now()):
            await self._dispatcher.ledger.do(lambda: closing.close(self._runner.bot.id, closed))

    def _put_off(self, question: Question) -> None:
        self._put_off_until[question.attempt] = self._now() + LOOK_AGAIN

    def _search(self) -> Search:
        dispatcher = self._dispatcher
        return Search(self._runner.bot.id, list(self._put_off_until), dispatcher.lease, dispatcher.limits)

    def _now(self) -> dt.datetime:
        return self._dispatcher.clock.now()
