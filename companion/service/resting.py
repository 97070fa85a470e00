"""Waiting for an event, with a time limit."""

import asyncio
from contextlib import suppress


async def rest(ring: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after this many seconds."""
    # asyncio.wait_for would be wrong here: before Python 3.12 it loses a cancellation that comes at the same moment as
    # the event (bpo-42130), and the task would never stop.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ring.wait()
