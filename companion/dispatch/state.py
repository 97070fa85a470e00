"""The state that all parts of a dispatcher process share: clock, ledger, Telegram client, places on the wire.

Nothing here decides about a Message. A place on the wire is the right to have one request open.
"""

import asyncio
import datetime as dt
import random
import time
from dataclasses import dataclass, field
from typing import Final

from companion.delivery.begin import Limits
from companion.dispatch import pace
from companion.dispatch.ledger import Ledger
from companion.service.clock import Clock
from companion.telegram.client import Client

_LEAST_SHARE: Final = 8
"""The places on the wire that every bot may take: enough for 30 messages a second if an answer takes 0.25 s."""


@dataclass(slots=True)
class DispatcherState:
    """The shared state of one dispatcher process."""

    clock: Clock
    ledger: Ledger
    client: Client
    rate_per_second: float
    rate_per_chat: float
    concurrency: int
    """The largest number of requests on the wire at once, over all bots."""
    lease_seconds: float
    wake_seconds: float
    machine_clock: bool = True
    """True if the machine's clock is the one clock (SQLite)."""
    database_step: dt.timedelta = dt.timedelta()
    """The step of the database server's clock against ours, if it is above STEP and so was not taken over yet."""
    clock_suspect: bool = True
    """True if the clock has to be compared with Telegram's before anything is sent."""
    halted: str | None = None
    """A sentence that says why nothing is begun at present; None if nothing stands in the way."""
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
        """Return the length of a lease."""
        return dt.timedelta(seconds=self.lease_seconds)

    @property
    def paced(self) -> bool:
        """Return whether slots matter: not if the rate is higher than any that a Bot API server counts exactly."""
        return self.rate_per_second <= pace.UNPACED

    def free_places(self, taken: int, ring: asyncio.Event) -> int:
        """Return how many more Attempts may begin now for a bot that has `taken` this many places on the wire.

        Each bot has its share, so that a bot whose requests hang leaves places for the others. If all places are taken,
        `ring` is set as soon as a place is free.
        """
        if self.on_wire >= self.concurrency:
            self._waiting_for_a_place.append(ring)
        share = max(self.concurrency // self.bots, min(self.concurrency, _LEAST_SHARE))
        return min(self.concurrency - self.on_wire, share - taken)

    def give_back(self, places: int) -> None:
        """Free places on the wire."""
        self.on_wire -= places
        for ring in self._waiting_for_a_place:
            ring.set()
        self._waiting_for_a_place.clear()

    @property
    def half(self) -> int:
        """Return the largest number of Attempts that a round begins: meanwhile the other half is on the wire."""
        return (self.concurrency + 1) // 2

    @property
    def step(self) -> dt.timedelta:
        """Return how far the machine's clock or the one clock has jumped: the larger of the two jumps."""
        return max(self.clock.stepped(), self.database_step, key=abs)

    @property
    def time_with_step(self) -> dt.datetime:
        """Return the present time of the one clock, including a jump that was not taken over yet."""
        return self.clock.now() + (self.clock.stepped() if self.machine_clock else self.database_step)

    @property
    def lease_margin(self) -> float:
        """Return the seconds from a request's time-out to the end of its lease: enough to write down the result."""
        return min(5.0, self.lease_seconds / 6)

    def lease_end(self) -> float:
        """Return the instant at which a lease that begins now ends, on the monotonic clock."""
        return time.monotonic() + self.lease_seconds
