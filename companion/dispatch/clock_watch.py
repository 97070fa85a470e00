"""Watches this machine's clock: one that steps, or that differs from Telegram's Date, stops sending until it is right.

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
STEPPED = (
    "This machine's clock has jumped. Sending waits until it agrees with Telegram's; check its time service (NTP)."
)


async def watch(house: House, token: Callable[[], BotToken | None], on_well: Callable[[], None]) -> None:
    """Halts the house while the clock is off, and once at the start until it is known to be right."""
    house.clock_suspect = True
    while True:
        if house.clock_suspect or abs(house.clock.stepped()) > STEP:
            await _until_right(house, token, on_well)
        await asyncio.sleep(_LOOK_SECONDS)


def suspicious(server_date: dt.datetime | None) -> bool:
    """Whether this machine's clock is too far from the Date of an answer that has just come."""
    return server_date is not None and abs(machine_now() - server_date) > OFF_BY


async def _until_right(house: House, token: Callable[[], BotToken | None], on_well: Callable[[], None]) -> None:
    stepped = abs(house.clock.stepped()) > STEP
    house.halted = STEPPED if stepped else "The clock is being compared with Telegram's."
    pauses = iter(_PAUSES)
    pause = _PAUSES[-1]
    while not await _agrees(house, token()):
        pause = next(pauses, _PAUSES[-1])
        await asyncio.sleep(pause)
    if stepped:
        log.warning("the clock has a new base", seconds=house.clock.stepped().total_seconds())
        house.clock.rebase(house.clock.now() + house.clock.stepped() if house.machine_clock else house.clock.now())
        house.clock.accept_step()
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
    if suspicious(date):
        house.halted = "This machine's clock differs from Telegram's by minutes. Sending waits; check its time service."
        return False
    return True
