"""One bot's updates: fetched by long polling, worked off in their order, whatever Telegram or the network does.

Telegram lets one poller in for each bot; where another process polls the same one, both say so (rivals.py) and take
turns, and the offset in the database keeps what they do once.
"""

import asyncio
import datetime as dt
import random
import uuid
from dataclasses import dataclass, field
from typing import Final

import structlog

from companion.clinics import bots
from companion.clinics.models import Bot, Reader
from companion.clinics.sealed import CannotOpen
from companion.listener import handling, rivals
from companion.listener.database import Database
from companion.listener.handling import Acknowledgement, SomebodyWasFaster, Taken
from companion.service.clock import database_now
from companion.service.mishap import kind_and_place
from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.incoming import Incoming
from companion.telegram.methods import answer_callback, get_updates
from companion.telegram.outcomes import Kind, Outcome

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 25
"""How long Telegram holds a poll open when nothing comes in."""
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Listened:
    """A bot that is listened for."""

    id: uuid.UUID
    token: BotToken = field(repr=False)


def listened(sandbox: bool) -> tuple[set[Listened], set[uuid.UUID]]:
    """The bots that may be listened for now, and those whose token can't be opened."""
    found, shut = set(), set()
    for row in bots.serving(sandbox=sandbox).defer("token").order_by("id"):
        try:
            found.add(Listened(row.id, BotToken(row.token)))
        except (CannotOpen, ValueError):
            shut.add(row.id)
    return found, shut


class Poller:
    """Fetches and works off one bot's updates, until it is cancelled."""

    def __init__(self, client: Client, database: Database, bot: Listened, calm: dt.timedelta = rivals.CALM) -> None:
        self._client: Final = client
        self._database: Final = database
        self._bot: Final = bot
        self._acknowledging: Final[set[asyncio.Task[None]]] = set()
        self._wait = FIRST_WAIT
        self._calm: Final = calm
        self._alone = False
        """Whether nobody else is noted to take the bot's updates, as far as this poller knows."""
        self.trouble = ""
        """What is wrong, for people; empty while all is well."""
        self.taken = 0
        """Updates worked off."""

    async def run(self) -> None:
        """Never returns."""
        while True:
            offset = await self._database.patiently(_offset, self._bot.id, on_trouble=self._note)
            try:
                updates = await get_updates(self._client, self._bot.token, offset, wait=POLL_SECONDS)
            except CallFailed as failure:
                if reader := rivals.reader_of(failure.outcome):
                    await self._database.patiently(_met, self._bot.id, reader, on_trouble=self._note)
                    self._alone = False
                await self._wait_after(failure.outcome)
                continue
            if self.trouble:
                log.info("updates are fetched again", bot=str(self._bot.id))
            self._wait = FIRST_WAIT
            self._note("")
            if not self._alone:
                self._alone = await self._database.patiently(
                    _undisturbed, self._bot.id, self._calm, on_trouble=self._note
                )
            reached = await self._work_off(updates, offset)
            if updates and reached == offset:
                # Somebody else took them, or they all came before: a server that repeats itself is not asked in a rush.
                await asyncio.sleep(FIRST_WAIT)

    async def _work_off(self, updates: list[Incoming], offset: int) -> int:
        """Works them off in their order; the offset that is reached."""
        for incoming in updates:
            try:
                taken = await self._take(incoming, offset)
            except SomebodyWasFaster:
                # Another process has these updates; the next poll begins where it left off.
                return offset
            self.taken += taken.next_update_id != offset
            offset = taken.next_update_id
            if taken.acknowledgement:
                self._acknowledge(taken.acknowledgement)
        return offset

    async def _take(self, incoming: Incoming, offset: int) -> Taken:
        """Works one update off; one that fails is passed over with a line in the log. Raises SomebodyWasFaster."""
        if incoming.skipped:
            where = {"bot": str(self._bot.id), "update": incoming.update_id}
            log.info("parts of an update could not be read", **where, parts=incoming.skipped)
        try:
            return await self._database.patiently(_take, self._bot.id, incoming, offset=offset, on_trouble=self._note)
        except SomebodyWasFaster:
            raise
        except Exception as error:  # noqa: BLE001 (one update that trips us must never silence the STOP after it)
            said = kind_and_place(error)
            log.error("an update was passed over", bot=str(self._bot.id), update=incoming.update_id, **said)  # noqa: TRY400
        return await self._database.patiently(
            handling.pass_over, self._bot.id, incoming.update_id, offset=offset, on_trouble=self._note
        )

    def _acknowledge(self, tap: Acknowledgement) -> None:
        """In the background: a slow answer of Telegram's holds no update up."""
        task = asyncio.create_task(_answer_tap(self._client, self._bot, tap))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _wait_after(self, outcome: Outcome) -> None:
        """Waits as long as this failure asks for, longer each time."""
        words = _words(outcome)
        if words != self.trouble:
            # Once for a trouble, not once for each try.
            why = outcome.note or outcome.error_code
            log.warning("updates can't be fetched", bot=str(self._bot.id), outcome=outcome.kind.value, why=why)
        self._note(words)
        seconds = outcome.retry_after or self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        # Two pollers that met must not meet again.
        await asyncio.sleep(seconds * random.uniform(1, 1.5))  # noqa: S311 (no secret depends on it)

    def _note(self, trouble: str) -> None:
        self.trouble = trouble


def _offset(bot_id: uuid.UUID) -> int:
    return Bot.objects.values_list("next_update_id", flat=True).filter(pk=bot_id).first() or 0


def _met(bot_id: uuid.UUID, reader: Reader) -> None:
    rivals.met(bot_id, reader, now=database_now())


def _undisturbed(bot_id: uuid.UUID, calm: dt.timedelta) -> bool:
    return rivals.undisturbed(bot_id, now=database_now(), calm=calm)


def _take(bot_id: uuid.UUID, incoming: Incoming, *, offset: int) -> Taken:
    return handling.take(bot_id, incoming, offset=offset, now=database_now())


async def _answer_tap(client: Client, bot: Listened, tap: Acknowledgement) -> None:
    try:
        await answer_callback(client, bot.token, tap.callback_id, tap.text)
    except CallFailed as failure:
        # Telegram refuses those that are some seconds old; what the tap meant is kept already.
        log.info("a tap could not be acknowledged", bot=str(bot.id), outcome=failure.outcome.kind.value)


def _words(outcome: Outcome) -> str:
    if rivals.reader_of(outcome):
        return "Another program fetches this bot's updates, or a webhook is set. Only one can: end the other one."
    if outcome.kind is Kind.UNAUTHORIZED:
        return "Telegram refuses the bot's token. Give it anew in Settings."
    return f"Updates can't be fetched ({outcome.note or outcome.error_code or outcome.kind.value}); trying again."
