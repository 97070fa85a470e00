"""The listener service: run a poller for each bot, and the tasks that serve all bots, until the process stops.

updates.py says what an update means, handling.py what follows from it.
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

from companion.clinics.bot_api import bot_api_client
from companion.clinics.known_keys import may_read_metrics
from companion.listener import other_readers
from companion.listener.cleanup import Cleanup
from companion.listener.database import Database
from companion.listener.poller import PolledBot, Poller, bots_to_poll
from companion.listener.sync_loop import SyncLoop
from companion.listener.unanswered import Unanswered
from companion.listener.verifying import Verifier
from companion.service import health_port
from companion.service.heartbeat import Heart
from companion.service.outages import Hindrance
from companion.service.resting import rest
from companion.telegram.client import Client

log = structlog.get_logger(__name__)
BOTS_SECONDS: Final = 2.0
"""The time within which the listener notices a new, changed or removed bot."""
_UNREADABLE: Final = (
    "A bot's token can't be decrypted, so its patients' messages are not read: restore the former COMPANION_SECRET_KEY."
)


def run(port: int) -> None:
    """Run until SIGTERM or SIGINT, with health and metrics on this port. Raises PortTaken."""
    asyncio.run(_run(port))


async def _run(at: int) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    service = Service(settings.COMPANION.bot_api_url, sandbox=settings.SANDBOX_ON)
    syncs = SyncLoop()
    heart = Heart("listener", state=service.state, health_url=lambda: port.url, in_main_loop=loop.call_soon_threadsafe)
    port = health_port.serve(
        lambda: service.health(syncs.trouble, heart.hindered()),
        host=settings.COMPANION.host,
        port=at,
        may_read_metrics=may_read_metrics,
    )
    heart.start()
    syncs.start()
    log.info("the listener has started", database=connection.vendor, api=settings.COMPANION.bot_api_url)
    try:
        await service.serve(stop)
    finally:
        # Stop them at the same time: each may wait some seconds for a database that can't be reached.
        await asyncio.gather(asyncio.to_thread(syncs.stop), asyncio.to_thread(heart.stop))
        port.close()
        log.info("the listener has stopped")


class Service:
    """A listener process: its pollers, and the tasks that serve all bots."""

    def __init__(self, api_url: str, *, sandbox: bool, calm: dt.timedelta = other_readers.CALM) -> None:
        self._api_url: Final = api_url
        self._sandbox: Final = sandbox
        self._calm: Final = calm
        self._pollers: Final[dict[PolledBot, tuple[Poller, asyncio.Task[None]]]] = {}
        self._verifiers: Final[dict[PolledBot, asyncio.Task[None]]] = {}
        self._chores: list[asyncio.Task[None]] = []
        """Tasks that serve all bots."""
        self._unreadable: set[uuid.UUID] = set()
        """Bots whose token can't be decrypted."""
        self._database: Database | None = None

    async def serve(self, stop: asyncio.Event) -> None:
        """Fetch updates for all bots until `stop` is set. The next start handles an update that was interrupted."""
        self._database = database = Database()
        try:
            async with bot_api_client(self._api_url) as client:
                await self._keep_pollers(client, database, stop)
        finally:
            await asyncio.to_thread(database.close)

    def health(self, syncing: str = "", beating: Hindrance | None = None) -> dict[str, object]:
        """Return the answer to GET /health.

        `syncing` is the trouble of the syncs, `beating` the hindrance of the heartbeat.
        """
        # Another thread calls this. Copy the pollers first: the event loop may add a poller meanwhile.
        unreadable = _UNREADABLE if self._unreadable else ""
        hindered = (self._database and self._database.hindered()) or beating
        if hindered:
            return hindered.health("listener") | self.state()
        troubles = [*(poller.trouble for poller, _ in list(self._pollers.values())), unreadable, syncing]
        detail = "; ".join(filter(None, troubles))
        return {"status": "degraded" if detail else "ok", "detail": detail, **self.state()}

    def state(self) -> dict[str, object]:
        """Return numbers for the heartbeat."""
        pollers = [poller for poller, _ in list(self._pollers.values())]
        return {
            "bots": len(pollers),
            "troubled": sum(bool(poller.trouble) for poller in pollers),
            "taken": sum(poller.handled for poller in pollers),
        }

    async def _keep_pollers(self, client: Client, database: Database, stop: asyncio.Event) -> None:
        """Keep one poller for each bot. A bot with a new token counts as a new bot."""
        self._chores = [asyncio.create_task(chore(database).run()) for chore in (Unanswered, Cleanup)]
        try:
            while not stop.is_set():
                bots, unreadable = await database.patiently(bots_to_poll, self._sandbox)
                if unreadable - self._unreadable:
                    # Log each bot once, and not every two seconds.
                    log.error("bots' tokens can't be decrypted", bots=sorted(map(str, unreadable - self._unreadable)))
                self._unreadable = unreadable
                for gone in self._pollers.keys() - bots:
                    await _end(self._pollers.pop(gone)[1])
                    await _end(self._verifiers.pop(gone))
                for bot in bots - self._pollers.keys():
                    poller = Poller(client, database, bot, self._calm)
                    self._pollers[bot] = (poller, asyncio.create_task(poller.run()))
                    self._verifiers[bot] = asyncio.create_task(Verifier(client, database, bot).run())
                for task in self._tasks():
                    if task.done():
                        # Only an error in our code ends a task. Raise it: it ends the process, which is started again.
                        task.result()
                await rest(stop, BOTS_SECONDS)
        finally:
            for task in self._tasks():
                await _end(task)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._chores, *(task for _, task in self._pollers.values()), *self._verifiers.values()]


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
