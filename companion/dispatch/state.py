"""The state that all parts of one dispatcher process share: clock, ledger, Telegram client, places on the wire.

Nothing here decides about a Message.
"""

import asyncio
import datetime as dt
import random
import time
from dataclasses import dataclass, field

from companion.delivery.begin import Limits
from companion.dispatch import pace
from companion.dispatch.ledger import Ledger
from companion.service.clock import Clock
from companion.telegram.client import Client

_LEAST_SHARE = 8
"""Places on the wire that every bot may take: enough for 30 a second with answers that take a quarter of one."""


@dataclass(slots=True)
class DispatcherState:
    """The shared state of one dispatcher process."""

    clock: Clock
    ledger: Ledger
    client: Client
    rate_per_second: float
    rate_per_chat: float
    concurrency: int
    """The most requests on the wire at once, over all bots."""
    lease_seconds: float
    wake_seconds: float
    machine_clock: bool = True
    """True if the machine's clock is the one clock (SQLite)."""
    database_step: dt.timedelta = dt.timedelta()
    """The step of the database server's clock against ours, if it is above STEP and so not taken over yet."""
    clock_suspect: bool = True
    """True if the clock has yet to be compared with Telegram's."""
    halted: str | None = None
    """The reason why nothing is begun at present, as a sentence; None: there is none."""
    on_wire: int = 0
    bots: int = 1
    """The number of bots that share the places on the wire."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    dice: random.Random = field(default_factory=random.SystemRandom)
    limits: Limits = field(init=False)
    """The rate of each bot, as slots."""
    _waiting_for_a_place: list[asyncio.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.limits = pace.limits(self.rate_per_second, self.rate_per_chat)

    @property
    def lease(self) -> dt.timedelta:
        """The length of a lease."""
        return dt.timedelta(seconds=self.lease_seconds)

    @property
    def paced(self) -> bool:
        """Return whether a message may be late for its slot: not above any rate that a Bot API server counts."""
        return self.rate_per_second <= pace.UNPACED

    def free_places(self, taken: int, ring: asyncio.Event) -> int:
        """Return how many more Attempts may begin now for a bot that has taken so many places on the wire.

        Each bot has its share, so that a bot whose requests hang leaves the others their places. Where all places are
        taken, `ring` is set as soon as a place is free.
        """
        if self.on_wire >= self.concurrency:
            self._waiting_for_a_place.append(ring)
        share = max(self.concurrency // self.bots, min(self.concurrency, _LEAST_SHARE))
        return min(self.concurrency - self.on_wire, share - taken)

    def give_back(self, places: int) -> None:
        """Frees places on the wire."""
        self.on_wire -= places
        for ring in self._waiting_for_a_place:
            ring.set()
        self._waiting_for_a_place.clear()

    @property
    def half(self) -> int:
        """The most Attempts that one round begins: while it is written down, the other half is on the wire."""
        return (self.concurrency + 1) // 2

    @property
    def step(self) -> dt.timedelta:
        """Return how far the machine's clock or the one clock has jumped: the larger of the two."""
        return max(self.clock.stepped(), self.database_step, key=abs)

    @property
    def time_with_step(self) -> dt.datetime:
        """The one clock's present time, including a jump that was not taken over yet."""
        return self.clock.now() + (self.clock.stepped() if self.machine_clock else self.database_step)

    @property
    def lease_margin(self) -> float:
        """Seconds between the end of a request's time and the end of its lease: enough to write the result down."""
        return min(5.0, self.lease_seconds / 6)

    def lease_end(self) -> float:
        """Return when a lease that begins now ends, on the monotonic clock."""
        return time.monotonic() + self.lease_seconds
