"""Two other schedulers that make the same calls from jobs in a database, written as their manuals show.

Both are at-least-once or at-most-once, by configuration, and keep no evidence. They are here for comparison. Run as a
module: `apscheduler FOLDER URL COUNT` or `procrastinate DATABASE_URL URL COUNT`.
"""

import asyncio
import contextlib
import datetime as dt
import importlib
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from bench.grounds import ROOT, python
from bench.loops import IN_FLIGHT, TEXT, TOKEN

if TYPE_CHECKING:
    from procrastinate.types import JSONValue

_session: aiohttp.ClientSession
_sent = itertools.count(1)
_all_sent: asyncio.Event


def run(which: str, place: str, url: str, count: int) -> tuple[float, float]:
    """Run one of them in a separate process. Return the seconds until the last answer, and its processor time.

    Raises RuntimeError if it fails.
    """
    process = python("bench.others", which, place, url, str(count), environment={"PYTHONPATH": str(ROOT)}, folder=ROOT)
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{which} failed")
    elapsed, used = output.split()[-2:]
    return float(elapsed), float(used)


async def send(url: str, chat: int, count: int) -> None:
    """A job: the call, and whether it was the last."""
    body = {"chat_id": chat, "text": TEXT, "link_preview_options": {"is_disabled": True}}
    async with _session.post(f"{url}/bot{TOKEN}/sendMessage", json=body) as response:
        await response.json()
    if next(_sent) == count:
        _all_sent.set()


async def with_apscheduler(folder: str, url: str, count: int) -> None:
    """Run APScheduler 3 with its SQLAlchemy job store on SQLite."""
    from apscheduler.executors.asyncio import AsyncIOExecutor
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.asyncio import AsyncIOScheduler

    store = SQLAlchemyJobStore(url=f"sqlite:///{Path(folder) / 'apscheduler.sqlite3'}")
    scheduler = AsyncIOScheduler(jobstores={"default": store}, executors={"default": AsyncIOExecutor()})
    scheduler.start(paused=True)
    now = dt.datetime.now(dt.UTC)
    for chat in range(9_000_000_000, 9_000_000_000 + count):
        scheduler.add_job(send, "date", run_date=now, args=(url, chat, count), misfire_grace_time=3600)
    with _timed():
        scheduler.resume()
        await _all_sent.wait()
    scheduler.shutdown()


async def with_procrastinate(database_url: str, url: str, count: int) -> None:
    """Run Procrastinate 3 on PostgreSQL, one worker with the same number of jobs at once."""
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=database_url))
    task = app.task(send)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        jobs: list[dict[str, JSONValue]] = [
            {"url": url, "chat": chat, "count": count} for chat in range(9_000_000_000, 9_000_000_000 + count)
        ]
        await task.batch_defer_async(*jobs)
        with _timed():
            worker = asyncio.create_task(app.run_worker_async(concurrency=IN_FLIGHT, install_signal_handlers=False))
            await _all_sent.wait()
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await worker


@contextlib.contextmanager
def _timed() -> Iterator[None]:
    began, used = time.monotonic(), time.process_time()
    yield
    print(time.monotonic() - began, time.process_time() - used)


async def main(which: str, place: str, url: str, count: int) -> None:
    global _session, _all_sent  # noqa: PLW0603  (jobs are found by their names, so they need variables of the module)
    _all_sent = asyncio.Event()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as _session:
        await {"apscheduler": with_apscheduler, "procrastinate": with_procrastinate}[which](place, url, count)


if __name__ == "__main__":
    # Imported by its name: the jobs of a module __main__ couldn't be found again.
    module = importlib.import_module("bench.others")
    asyncio.run(module.main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
