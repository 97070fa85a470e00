"""Wake-ups by real transactions, received over PostgreSQL's NOTIFY or SQLite's FIFO."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from companion.service.wake import listen, ring

pytestmark = pytest.mark.django_db(transaction=True)
SOON = 10


@pytest.fixture(autouse=True)
def data_folder(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


class Bell:
    """Receive wake-ups and count them."""

    def __init__(self) -> None:
        self.rings = 0
        self._some = asyncio.Event()

    def on_ring(self) -> None:
        self.rings += 1
        self._some.set()

    async def heard(self) -> None:
        await asyncio.wait_for(self._some.wait(), SOON)
        self._some.clear()


@asynccontextmanager
async def listening() -> AsyncIterator[Bell]:
    """A dispatcher's ear, past the ring with which it begins."""
    bell = Bell()
    task = asyncio.create_task(listen(bell.on_ring))
    await bell.heard()
    try:
        yield bell
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def elsewhere(work: Callable[[], None]) -> None:
    """Call it as a web request does: in another thread, with a second connection."""

    def do() -> None:
        try:
            work()
        finally:
            connection.close()

    await asyncio.to_thread(do)


async def test_a_ring_wakes_the_dispatcher() -> None:
    async with listening() as bell:
        await elsewhere(ring)

        await bell.heard()


async def test_a_ring_within_a_transaction_is_heard_after_its_commit() -> None:
    async with listening() as bell:
        loop = asyncio.get_running_loop()
        rings_before_commit = []

        def change() -> None:
            with transaction.atomic():
                ring()
                # A turn of the loop, in which it would have been heard.
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), loop).result(SOON)
                rings_before_commit.append(bell.rings)

        await elsewhere(change)
        await bell.heard()

    assert rings_before_commit == [1]


async def test_a_ring_in_a_transaction_that_is_rolled_back_is_not_heard() -> None:
    async with listening() as bell:

        def change_and_roll_back() -> None:
            with transaction.atomic():
                ring()
                transaction.set_rollback(True)

        await elsewhere(change_and_roll_back)
        await elsewhere(ring)
        await bell.heard()

    assert bell.rings == 2


async def test_a_ring_that_nobody_hears_is_no_error() -> None:
    await elsewhere(ring)


async def test_a_dispatcher_that_comes_back_hears_again() -> None:
    async with listening():
        pass
    await elsewhere(ring)

    async with listening() as bell:
        await elsewhere(ring)
        await bell.heard()


async def test_many_rings_at_once_wake_it_and_block_nobody() -> None:
    async with listening() as bell:

        def ring_often() -> None:
            for _ in range(200):
                ring()

        await elsewhere(ring_often)
        await bell.heard()


async def test_a_lost_connection_is_made_again_and_rings_once_for_what_was_missed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection to lose")
    async with listening() as bell:

        def cut() -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LISTEN %%'"
                )

        await elsewhere(cut)
        await bell.heard()
        await elsewhere(ring)
        await bell.heard()


async def test_a_data_folder_with_a_long_path_can_be_rung_in(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / ("longer" * 20)
    folder.mkdir(parents=True)
    settings.DATA_DIR = folder
    async with listening() as bell:
        await elsewhere(ring)

        await bell.heard()


async def test_a_file_in_the_fifos_place_is_named_instead_of_waited_for(data_folder: Path) -> None:
    if connection.vendor == "postgresql":
        pytest.skip("PostgreSQL needs no FIFO")
    (data_folder / "wake").touch()

    with pytest.raises(FileExistsError, match="wake"):
        await asyncio.wait_for(listen(lambda: None), SOON)
