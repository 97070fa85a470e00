"""Delete messages from Telegram chats after an erasure: one by one, each in a slot of the bot's rate.

A deletion may be repeated without harm. So a try whose answer never came is simply repeated.
"""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from companion.clinics.models import Closed
from companion.delivery import begin, closing, deleting
from companion.delivery.deleting import Due
from companion.dispatch.runner import BotRow
from companion.dispatch.state import DispatcherState
from companion.service.resting import rest
from companion.telegram.client import CallFailed
from companion.telegram.methods import delete_message
from companion.telegram.outcomes import Kind, Outcome

log = structlog.get_logger(__name__)
_POLL_SECONDS: Final = 5.0
_GAP_SECONDS: Final = 0.2
"""The time between two deletions, so that most of the bot's slots are left for sending."""
_AGAIN: Final = dt.timedelta(seconds=30)
"""The time until the next try after a failure that may pass."""


class Deleter:
    """A task that deletes messages, bot after bot, until it is cancelled."""

    def __init__(self, dispatcher: DispatcherState, bots: Callable[[], Iterable[BotRow]]) -> None:
        self._dispatcher, self._bots = dispatcher, bots
        self.ring = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self.ring.clear()
            clinics = await self._dispatcher.ledger.do(lambda: _clinics(self._dispatcher.clock.now()))
            bots = [bot for bot in self._bots() if bot.clinic in clinics]
            done = [await self._delete_some(bot) for bot in bots if self._may_call(bot)]
            if not any(done):
                await rest(self.ring, _POLL_SECONDS)

    def _may_call(self, bot: BotRow) -> bool:
        dispatcher = self._dispatcher
        waits = dispatcher.halted or dispatcher.clock_suspect or dispatcher.stopping.is_set()
        closed = bot.closed_until is not None and bot.closed_until > dispatcher.clock.now()
        return not (waits or bot.paused or closed or bot.closed_why in (Closed.UNAUTHORIZED, Closed.HANGING))

    async def _delete_some(self, bot: BotRow) -> bool:
        """Delete some of this bot's due messages. Return whether there were any, and none had to be put off."""
        now = self._dispatcher.clock.now
        due = await self._dispatcher.ledger.do(lambda: deleting.due(bot.clinic, now=now()))
        for message in due:
            if not await self._delete(bot, message):
                return False
            await asyncio.sleep(_GAP_SECONDS)
        return bool(due)

    async def _delete(self, bot: BotRow, message: Due) -> bool:
        """Delete a message in the bot's next slot. Return False if it had to be put off."""
        ledger, now = self._dispatcher.ledger, self._dispatcher.clock.now
        slot = await ledger.do(lambda: begin.take_slot(bot.id, self._dispatcher.limits, now=now()))
        await asyncio.sleep(max((slot - now()).total_seconds(), 0.0))
        try:
            await delete_message(self._dispatcher.client, bot.token, message.chat, message.number)
        except CallFailed as failed:
            outcome = failed.outcome
            if outcome.kind is not Kind.PERMANENT:
                await ledger.do(lambda: _put_off(bot, message, outcome, now()))
                return False
            log.info("telegram keeps a message", bot=str(bot.id), error_code=outcome.error_code)
        await ledger.do(lambda: deleting.done(message.id))
        return True


def _clinics(now: dt.datetime) -> set[uuid.UUID]:
    """Forget deletions that are too old, and return the clinics that have due deletions. Mostly there are none."""
    deleting.forget_old(now=now)
    return deleting.clinics_with_due(now=now)


def _put_off(bot: BotRow, message: Due, outcome: Outcome, now: dt.datetime) -> None:
    """Try the deletion again later, and close the bot if Telegram's answer asks for that."""
    closed = closing.after_call(outcome, now)
    if closed:
        closing.close(bot.id, closed)
    deleting.again(message.id, at=closed.until if closed else now + _AGAIN)
