"""The listener service: fetches updates for each bot and has them worked off, one after the other.

It starts, keeps going and stops cleanly; what an update means and what follows stands in updates.py and handling.py.
"""

import asyncio
import datetime as dt
import signal
import uuid
from contextlib import suppress
from typing import Final

import structlog
from django.conf import settings
from django.db import connection

from companion.listener import rivals
from companion.listener.database import Database
from companion.listener.media_house import MediaHouse
from companion.listener.poller import Listened, Poller, listened
from companion.listener.sync_loop import SyncLoop
from companion.listener.unanswered import Unanswered
from companion.listener.verifying import Verifier
from companion.service import health_port
from companion.service.heartbeat import Heart
from companion.service.resting import rest
from companion.telegram.client import Client

log = structlog.get_logger(__name__)
BOTS_SECONDS: Final = 2.0
"""How soon a bot that was connected, exchanged or taken away is noticed."""
_SHUT: Final = (
    "A bot's token can't be opened, so nobody hears its patients: give back the COMPANION_SECRET_KEY of before."
)


def run() -> None:
    """Runs until SIGTERM or SIGINT."""
    asyncio.run(_run())


async def _run() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    service = Service(settings.COMPANION.bot_api_url, sandbox=settings.SANDBOX_ON)
    syncs = SyncLoop()
    port = health_port.serve(
        lambda: service.health(syncs.trouble), host=settings.COMPANION.host, port=settings.COMPANION.health_port
    )
    heart = Heart("listener", state=service.state, health_url=lambda: port.url)
    heart.start()
    syncs.start()
    log.info("the listener works", database=connection.vendor, api=settings.COMPANION.bot_api_url)
    try:
        await service.serve(stop)
    finally:
        await asyncio.to_thread(syncs.stop)
        await asyncio.to_thread(heart.stop)
        port.close()
        log.info("the listener has stopped")


class Service:
    """All pollers of one process."""

    def __init__(self, api_url: str, *, sandbox: bool, calm: dt.timedelta = rivals.CALM) -> None:
        self._api_url: Final = api_url
        self._sandbox: Final = sandbox
        self._calm: Final = calm
        self._pollers: Final[dict[Listened, tuple[Poller, asyncio.Task[None]]]] = {}
        self._verifiers: Final[dict[Listened, asyncio.Task[None]]] = {}
        self._chores: list[asyncio.Task[None]] = []
        """Tasks that serve all bots."""
        self._shut: set[uuid.UUID] = set()
        """Bots whose token can't be opened."""
        self._trouble = ""

    async def serve(self, stop: asyncio.Event) -> None:
        """Listens for all bots until `stop` is set. An update at hand is finished, or begun anew by the next start."""
        database = Database()
        try:
            async with Client(self._api_url) as client:
                await self._keep_pollers(client, database, stop)
        finally:
            database.close()

    def health(self, syncing: str = "") -> dict[str, object]:
        """What GET /health answers; `syncing` is what is wrong with that, if anything."""
        # Asked by another thread: the list is taken at once, the loop may add to the pollers meanwhile.
        shut = _SHUT if self._shut else ""
        troubles = [*(poller.trouble for poller, _ in list(self._pollers.values())), shut, syncing]
        detail = self._trouble or "; ".join(filter(None, troubles))
        return {"status": "degraded" if detail else "ok", "detail": detail, **self.state()}

    def state(self) -> dict[str, object]:
        """Small numbers for the heartbeat."""
        pollers = [poller for poller, _ in list(self._pollers.values())]
        return {
            "bots": len(pollers),
            "troubled": sum(bool(poller.trouble) for poller in pollers),
            "taken": sum(poller.taken for poller in pollers),
        }

    async def _keep_pollers(self, client: Client, database: Database, stop: asyncio.Event) -> None:
        """Keeps one poller for each bot; a bot with a new token is another one."""
        self._chores = [asyncio.create_task(chore(database).run()) for chore in (Unanswered, MediaHouse)]
        try:
            while not stop.is_set():
                bots, shut = await database.patiently(listened, self._sandbox, on_trouble=self._note)
                if shut - self._shut:
                    # Once for a bot, not every two seconds.
                    log.error("bots' tokens can't be opened", bots=sorted(map(str, shut - self._shut)))
                self._shut = shut
                for gone in self._pollers.keys() - bots:
                    await _end(self._pollers.pop(gone)[1])
                    await _end(self._verifiers.pop(gone))
                for bot in bots - self._pollers.keys():
                    poller = Poller(client, database, bot, self._calm)
                    self._pollers[bot] = (poller, asyncio.create_task(poller.run()))
                    self._verifiers[bot] = asyncio.create_task(Verifier(client, database, bot).run())
                for task in self._tasks():
                    if task.done():
                        # A task ends by a mistake of ours only: the process goes down with it and is started anew.
                        task.result()
                await rest(stop, BOTS_SECONDS)
        finally:
            for task in self._tasks():
                await _end(task)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._chores, *(task for _, task in self._pollers.values()), *self._verifiers.values()]

    def _note(self, trouble: str) -> None:
        self._trouble = trouble


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
