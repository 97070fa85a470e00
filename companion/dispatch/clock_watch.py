"""The watch over this machine's clock and the database server's. While either has jumped, or differs from Telegram's
Date, nothing is sent.

DESIGN.md, One clock. The call is getMe, whose answer has a Date whatever it says.
"""

import asyncio
import datetime as dt
import itertools
from collections.abc import Callable

import structlog

from companion.dispatch.state import DispatcherState
from companion.service.clock import STEP, machine_now
from companion.telegram.client import BotToken, CallFailed

log = structlog.get_logger(__name__)
OFF_BY = dt.timedelta(minutes=2)
"""A difference from Telegram's Date that no slow answer explains."""
_CHECK_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
JUMPED = "The clock has jumped. Sending waits until it agrees with Telegram's; check its time service (NTP)."


async def keep_watch(
    dispatcher: DispatcherState, any_token: Callable[[], BotToken | None], when_right: Callable[[], None]
) -> None:
    """Halts sending at the start and after each jump, until the clock agrees with Telegram's. Never returns."""
    dispatcher.clock_suspect = True
    while True:
        if dispatcher.clock_suspect or abs(dispatcher.step) > STEP:
            await _wait_until_right(dispatcher, any_token, when_right)
        await asyncio.sleep(_CHECK_SECONDS)


def wrong_clock(dispatcher: DispatcherState, server_date: dt.datetime | None) -> str | None:
    """The name of a clock that is too far from the Date of an answer that has just come; None: neither is."""
    if server_date is None:
        return None
    if abs(machine_now() - server_date) > OFF_BY:
        return "This machine's clock"
    return "The database server's clock" if abs(dispatcher.time_with_step - server_date) > OFF_BY else None


async def _wait_until_right(
    dispatcher: DispatcherState, any_token: Callable[[], BotToken | None], when_right: Callable[[], None]
) -> None:
    jumped = abs(dispatcher.step) > STEP
    dispatcher.halted = JUMPED if jumped else "The clock is being compared with Telegram's."
    pauses = itertools.chain(_PAUSES, itertools.repeat(_PAUSES[-1]))
    while not await _agrees(dispatcher, any_token()):
        pause = next(pauses)
        await asyncio.sleep(pause)
    if jumped:
        log.warning("the clock has jumped, and its new time is used", seconds=dispatcher.step.total_seconds())
        dispatcher.clock.rebase(dispatcher.time_with_step)
        dispatcher.clock.accept_step()
        dispatcher.database_step = dt.timedelta()
    dispatcher.halted, dispatcher.clock_suspect = None, False
    when_right()


async def _agrees(dispatcher: DispatcherState, token: BotToken | None) -> bool:
    """Asks Telegram whether the clock is right. False without a bot: then nobody can be asked, and nothing is sent."""
    if token is None:
        return False
    try:
        date = (await dispatcher.client.call(token, "getMe", {}, timeout=_ANSWER_SECONDS)).server_date
    except CallFailed as failure:
        if failure.outcome.error_code is None:
            return False
        date = failure.outcome.server_date
    if clock := wrong_clock(dispatcher, date):
        dispatcher.halted = f"{clock} differs from Telegram's by minutes. Sending waits; check its time service."
        return False
    return True
