"""Wait for a ring, with a limit."""

import asyncio
from contextlib import suppress


async def rest(ring: asyncio.Event, seconds: float) -> None:
    """Return when the ring comes, or after so many seconds."""
    # Not asyncio.wait_for: before Python 3.12 it forgets a cancellation that comes in the moment of the ring
    # (bpo-42130), and who was told to stop never does.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ring.wait()
