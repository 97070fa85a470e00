"""Fetch a bot's updates by long polling, and handle them in their order.

Telegram allows one poller for each bot. If another process polls the same bot, both report it (other_readers.py) and
get updates by turns. The offset in the database makes sure that each update is handled once.
"""

import asyncio
import datetime as dt
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog

from companion.clinics import bots
from companion.clinics.models import Bot, OtherReader
from companion.clinics.sealed import CannotOpen
from companion.listener import handling, other_readers
from companion.listener.database import Database
from companion.listener.handling import Acknowledgement, Handled, SomebodyWasFaster
from companion.service.clock import database_now
from companion.service.error_place import kind_and_place
from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.incoming import Incoming
from companion.telegram.methods import answer_callback, get_updates
from companion.telegram.outcomes import Kind, Outcome

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 25
"""The seconds for which Telegram keeps a poll open while no update comes in."""
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
_EARLY_SECONDS: Final = 1.0
"""An answer without updates that comes sooner is early: the server holds no poll open now, as the Sandbox if it has
many bots.
"""
_AFTER_EARLY: Final = 1.0


@dataclass(frozen=True, slots=True)
class PolledBot:
    """A bot whose updates are fetched, and its token."""

    id: uuid.UUID
    token: BotToken = field(repr=False)


class BotsToPoll(NamedTuple):
    """The bots whose updates may be fetched, and the ids of those whose token can't be decrypted."""

    polled: set[PolledBot]
    unreadable: set[uuid.UUID]


def bots_to_poll(sandbox: bool) -> BotsToPoll:
    """Return the bots of the Sandbox, or the real bots."""
    polled, unreadable = set(), set()
    for row in bots.serving(sandbox=sandbox).defer("token").order_by("id"):
        try:
            polled.add(PolledBot(row.id, BotToken(row.token)))
        except (CannotOpen, ValueError):
            unreadable.add(row.id)
    return BotsToPoll(polled, unreadable)


class Poller:
    """A task that fetches and handles the updates of a bot until it is cancelled."""

    def __init__(
        self, client: Client, database: Database, bot: PolledBot, calm: dt.timedelta = other_readers.CALM
    ) -> None:
        self._client: Final = client
        self._database: Final = database
        self._bot: Final = bot
        self._acknowledging: Final[set[asyncio.Task[None]]] = set()
        self._wait = FIRST_WAIT
        self._calm: Final = calm
        self._alone = False
        """True if, as far as this poller knows, no other reader of the bot's updates is noted."""
        self.trouble = ""
        """A sentence about what is wrong; empty while all is well."""
        self.handled = 0
        """The number of updates handled."""

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            offset = await self._database.patiently(_offset, self._bot.id)
            asked_at = time.monotonic()
            try:
                updates = await get_updates(self._client, self._bot.token, offset, wait=POLL_SECONDS)
            except CallFailed as failure:
                if reader := other_readers.reader_of(failure.outcome):
                    await self._database.patiently(_met, self._bot.id, reader)
                    self._alone = False
                await self._wait_after(failure.outcome)
                continue
            is_early = not updates and time.monotonic() - asked_at < _EARLY_SECONDS
            if self.trouble:
                log.info("updates are fetched again", bot=str(self._bot.id))
            self._wait = FIRST_WAIT
            self._note("")
            if not self._alone:
                self._alone = await self._database.patiently(_undisturbed, self._bot.id, self._calm)
            reached = await self._handle_all(updates, offset)
            if updates and reached == offset:
                # Another process has handled these updates, or all of them had come before. Pause, so that a server
                # that repeats its answer isn't asked without end.
                await asyncio.sleep(FIRST_WAIT)
            elif is_early:
                await asyncio.sleep(_AFTER_EARLY)

    async def _handle_all(self, updates: list[Incoming], offset: int) -> int:
        """Handle updates in their order, and return the new offset."""
        for incoming in updates:
            try:
                handled = await self._handle(incoming, offset)
            except SomebodyWasFaster:
                # Another process handles these updates. The next poll begins after them.
                return offset
            self.handled += handled.next_update_id != offset
            offset = handled.next_update_id
            if handled.acknowledgement:
                self._acknowledge(handled.acknowledgement)
        return offset

    async def _handle(self, incoming: Incoming, offset: int) -> Handled:
        """Handle one update. Log and skip an update that fails. Raises SomebodyWasFaster."""
        if incoming.skipped:
            where = {"bot": str(self._bot.id), "update": incoming.update_id}
            log.info("parts of an update could not be read", **where, parts=incoming.skipped)
        try:
            return await self._database.patiently(_handle, self._bot.id, incoming, offset=offset)
        except SomebodyWasFaster:
            raise
        except Exception as error:  # noqa: BLE001 (an update that fails must never hide the STOP after it)
            mistake = kind_and_place(error)
            where = {"bot": str(self._bot.id), "update": incoming.update_id}
            log.error("an update was skipped", **where, **mistake)  # noqa: TRY400 (a traceback could hold a text)
        return await self._database.patiently(handling.skip, self._bot.id, incoming.update_id, offset=offset)

    def _acknowledge(self, tap: Acknowledgement) -> None:
        """Acknowledge a tap in the background, so that a slow answer of Telegram holds up no update."""
        task = asyncio.create_task(_answer_tap(self._client, self._bot, tap))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _wait_after(self, outcome: Outcome) -> None:
        """Wait as long as this failure asks for, and longer each time."""
        words = _words(outcome)
        if words != self.trouble:
            # Log each trouble once, and not each try.
            why = outcome.note or outcome.error_code
            log.warning("updates can't be fetched", bot=str(self._bot.id), outcome=outcome.kind.value, why=why)
        self._note(words)
        seconds = outcome.retry_after or self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        # The wait is random, so that two pollers don't collide each time.
        await asyncio.sleep(seconds * random.uniform(1, 1.5))  # noqa: S311 (no secret depends on it)

    def _note(self, trouble: str) -> None:
        self.trouble = trouble


def _offset(bot_id: uuid.UUID) -> int:
    return Bot.objects.values_list("next_update_id", flat=True).filter(pk=bot_id).first() or 0


def _met(bot_id: uuid.UUID, reader: OtherReader) -> None:
    other_readers.met(bot_id, reader, now=database_now())


def _undisturbed(bot_id: uuid.UUID, calm: dt.timedelta) -> bool:
    return other_readers.undisturbed(bot_id, now=database_now(), calm=calm)


def _handle(bot_id: uuid.UUID, incoming: Incoming, *, offset: int) -> Handled:
    return handling.handle(bot_id, incoming, offset=offset, now=database_now())


async def _answer_tap(client: Client, bot: PolledBot, tap: Acknowledgement) -> None:
    try:
        await answer_callback(client, bot.token, tap.callback_id, tap.text)
    except CallFailed as failure:
        # Telegram refuses taps that are some seconds old. The tap itself is stored already.
        log.info("a tap could not be acknowledged", bot=str(bot.id), outcome=failure.outcome.kind.value)


def _words(outcome: Outcome) -> str:
    if other_readers.reader_of(outcome):
        return (
            "Another program fetches this bot's updates, or a webhook is set. End it: only one program can fetch them."
        )
    if outcome.kind is Kind.UNAUTHORIZED:
        return "Telegram refuses the bot's token. Enter a valid token in Settings."
    return f"Updates can't be fetched ({outcome.note or outcome.error_code or outcome.kind.value}); trying again."
