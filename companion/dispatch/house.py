"""What the parts of one dispatcher process share: the clock, the ledger, the wire's client, how many are on the wire.

Not here: any decision about a Message.
"""

import asyncio
import datetime as dt
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec

from companion.dispatch.begin import Limits
from companion.dispatch.conclude import Conclusion
from companion.dispatch.ledger import Ledger
from companion.dispatch.settle import settle
from companion.service.clock import Clock
from companion.telegram.client import Client

_LEAST_SHARE = 8
"""Places on the wire that every bot may take: enough for 30 a second with answers that take a quarter of one."""


@dataclass(slots=True)
class House:
    """Shared by all runners of one process."""

    clock: Clock
    ledger: Ledger
    client: Client
    limits: Limits
    concurrency: int
    lease_seconds: float
    wake_seconds: float
    dice: random.Random = field(default_factory=random.SystemRandom)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    on_wire: int = 0
    machine_clock: bool = True
    """Whether the machine's clock is the one clock (SQLite)."""
    database_step: dt.timedelta = dt.timedelta()
    """How far the database server's clock has moved against ours: more than STEP, hence not taken over yet."""
    clock_suspect: bool = True
    halted: str | None = None
    """Why nothing is begun at present (the machine's clock is off), in words; None: nothing is wrong."""

    bots: int = 1
    """How many share the places on the wire."""
    _full: list[asyncio.Event] = field(default_factory=list)

    def free_for(self, own: int, ring: asyncio.Event) -> int:
        """How many more Attempts a bot that has `own` on the wire may begin now.

        A bot whose requests hang must not take the others' places, so each has its share. Where all places are taken,
        `ring` is set as soon as one is free.
        """
        if self.on_wire >= self.concurrency:
            self._full.append(ring)
        share = max(self.concurrency // self.bots, min(self.concurrency, _LEAST_SHARE))
        return min(self.concurrency - self.on_wire, share - own)

    def leave(self, places: int) -> None:
        """So many Attempts are no longer on the wire."""
        self.on_wire -= places
        for ring in self._full:
            ring.set()
        self._full.clear()

    @property
    def half(self) -> int:
        """The most that begins in one round: while it is written down, the other half is on the wire."""
        return (self.concurrency + 1) // 2

    @property
    def step(self) -> dt.timedelta:
        """By how much the one clock, or else this machine's, has stepped: what is larger."""
        return max(self.clock.stepped(), self.database_step, key=abs)

    @property
    def told(self) -> dt.datetime:
        """The one clock as it now stands, a step included."""
        return self.clock.now() + (self.clock.stepped() if self.machine_clock else self.database_step)

    @property
    def lease_margin(self) -> float:
        """Seconds between the end of a request's time and the end of its lease: enough to write the outcome down."""
        return min(5.0, self.lease_seconds / 6)

    def lease_end(self) -> float:
        """The monotonic instant at which a lease taken now ends."""
        return time.monotonic() + self.lease_seconds


class Ending(msgspec.Struct, frozen=True):
    """A conclusion on its way into the ledger, and who hears of it."""

    conclusion: Conclusion
    written: Callable[[Conclusion], None]
    """It is committed."""


class Results:
    """Conclusions on their way into the ledger: what has come when it turns to them is one group."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[Ending] = deque()
        self._called = False
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()

    async def watch(self) -> None:
        """Raises what writing down raised, if ever: the process must then begin anew, or its places stay taken."""
        await self._failed.wait()
        if self._failure:
            raise self._failure

    def add(self, ending: Ending) -> None:
        """Takes a conclusion in. It is committed before, or with, all that the ledger is given from now on."""
        self._waiting.append(ending)
        if self._called:
            return
        self._called = True
        group: list[Ending] = []
        committed = self._ledger.enqueue(partial(self._settle, group), patient=True)
        committed.add_done_callback(partial(self._tell, group))

    def _settle(self, group: list[Ending]) -> None:
        """In the ledger's thread; `group` is kept from one try to the next."""
        # First the flag: whoever comes after it calls again, whoever came before it is found below.
        self._called = False
        while self._waiting:
            group.append(self._waiting.popleft())
        settle([one.conclusion for one in group])

    def _tell(self, group: list[Ending], committed: asyncio.Future[None]) -> None:
        if (error := committed.exception()) is not None:
            self._failure = error
            self._failed.set()
            return
        for one in group:
            one.written(one.conclusion)
