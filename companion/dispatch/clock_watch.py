"""Watches this machine's clock and the database server's: one that steps, or that differs from Telegram's Date, stops
sending until it is right.

DESIGN.md, One clock. It asks getMe, whose answer carries a Date whatever it says.
"""

import asyncio
import datetime as dt
from collections.abc import Callable

import structlog

from companion.dispatch.house import House
from companion.service.clock import STEP, machine_now
from companion.telegram.client import BotToken, CallFailed

log = structlog.get_logger(__name__)
OFF_BY = dt.timedelta(minutes=2)
"""A difference from Telegram's Date that no slow answer explains."""
_LOOK_SECONDS = 1.0
_ASK_SECONDS = 10.0
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
STEPPED = "The clock has jumped. Sending waits until it agrees with Telegram's; check its time service (NTP)."


async def watch(house: House, token: Callable[[], BotToken | None], on_well: Callable[[], None]) -> None:
    """Halts the house while the clock is off, and once at the start until it is known to be right."""
    house.clock_suspect = True
    while True:
        if house.clock_suspect or abs(house.step) > STEP:
            await _until_right(house, token, on_well)
        await asyncio.sleep(_LOOK_SECONDS)


def suspicious(house: House, server_date: dt.datetime | None) -> str | None:
    """Which clock is too far from the Date of an answer that has just come, in words."""
    if server_date is None:
        return None
    if abs(machine_now() - server_date) > OFF_BY:
        return "This machine's clock"
    return "The database server's clock" if abs(house.told - server_date) > OFF_BY else None


async def _until_right(house: House, token: Callable[[], BotToken | None], on_well: Callable[[], None]) -> None:
    stepped = abs(house.step) > STEP
    house.halted = STEPPED if stepped else "The clock is being compared with Telegram's."
    pauses = iter(_PAUSES)
    pause = _PAUSES[-1]
    while not await _agrees(house, token()):
        pause = next(pauses, _PAUSES[-1])
        await asyncio.sleep(pause)
    if stepped:
        log.warning("the clock has a new base", seconds=house.step.total_seconds())
        house.clock.rebase(house.told)
        house.clock.accept_step()
        house.database_step = dt.timedelta()
    house.halted, house.clock_suspect = None, False
    on_well()


async def _agrees(house: House, token: BotToken | None) -> bool:
    """Whether the machine's clock agrees with the Date of an answer. Without a bot there is nobody to ask, and nothing
    to send."""
    if token is None:
        return False
    try:
        date = (await house.client.call(token, "getMe", {}, timeout=_ASK_SECONDS)).server_date
    except CallFailed as failure:
        if failure.outcome.error_code is None:
            return False
        date = failure.outcome.server_date
    if which := suspicious(house, date):
        house.halted = f"{which} differs from Telegram's by minutes. Sending waits; check its time service."
        return False
    return True
