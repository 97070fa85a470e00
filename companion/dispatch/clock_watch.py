"""Watch the clocks of this machine and of the database server. Nothing is sent while a clock has jumped or is wrong.

A clock is right if it agrees with the Date header of Telegram's answers. To get such a header, getMe is called.
"""

import asyncio
import datetime as dt
import itertools
from collections.abc import Callable
from typing import Final

import structlog

from companion.dispatch.state import DispatcherState
from companion.service.clock import OFF_BY, STEP, machine_now
from companion.telegram.client import BotToken, CallFailed

log = structlog.get_logger(__name__)
_CHECK_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 10.0
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
JUMPED: Final = "The clock has jumped. Sending waits until it agrees with Telegram's; check its time service (NTP)."


async def keep_watch(
    dispatcher: DispatcherState, any_token: Callable[[], BotToken | None], when_right: Callable[[], None]
) -> None:
    """Halt sending at the start and after each jump, until the clock agrees with Telegram's. Never returns.

    `any_token` gives the token of a bot that can be asked, `when_right` is called when sending may begin.
    """
    dispatcher.clock_suspect = True
    while True:
        if dispatcher.clock_suspect or abs(dispatcher.step) > STEP:
            await _wait_until_right(dispatcher, any_token, when_right)
        await asyncio.sleep(_CHECK_SECONDS)


def wrong_clock(dispatcher: DispatcherState, server_date: dt.datetime | None) -> str | None:
    """Return the name of a clock that differs too much from the Date of an answer that has just come; else None."""
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
    """Ask Telegram for its time, and return whether the clocks agree with it.

    Returns False without a bot: then nobody can be asked, and there is nothing to send.
    """
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
