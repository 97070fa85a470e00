"""Waiting for a wake-up: a process that is asked to stop meanwhile stops."""

import asyncio

import pytest

from companion.service.resting import rest

_A_WHILE = 60.0


async def _ring_then_cancel(turns: int) -> bool:
    """Return whether a task that rests again and again ends by a cancellation that comes so many turns after a ring."""
    ring = asyncio.Event()

    async def work() -> None:
        while True:
            ring.clear()
            await rest(ring, _A_WHILE)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    ring.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    return task.cancelled()


@pytest.mark.parametrize("turns", range(6))
def test_a_waiting_task_is_cancelled_at_any_moment_after_a_ring(turns: int) -> None:
    assert asyncio.run(_ring_then_cancel(turns))


def test_a_rest_ends_by_itself() -> None:
    asyncio.run(rest(asyncio.Event(), 0.001))
