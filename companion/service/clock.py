"""The one clock for due instants and leases: the database server's clock on PostgreSQL, the machine's on SQLite.

This module only reads the clock. The dispatcher decides what to do when the clock steps.
"""

import datetime as dt
import time
from collections.abc import Callable
from typing import Final

from django.db import connections

STEP: Final = dt.timedelta(seconds=5)
"""A step of the wall clock is a move against the monotonic clock by more than this."""
OFF_BY: Final = dt.timedelta(minutes=2)
"""A difference from Telegram's Date that is too large for a slow answer to be its cause. Then nothing is sent."""
_UNEVEN: Final = dt.timedelta(seconds=1)
_SLEW: Final = dt.timedelta(milliseconds=5)


def machine_now() -> dt.datetime:
    """The time by this machine's wall clock, with the zone UTC."""
    return dt.datetime.now(dt.UTC)


def database_now(using: str = "default") -> dt.datetime:
    """Read the time from the one clock, with the zone UTC. Raises django.db.Error if the database can't be asked."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return machine_now()
    with connection.cursor() as cursor:
        # now() would give the beginning of the transaction.
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    if not isinstance(now, dt.datetime):
        raise TypeError("clock_timestamp() gave no time")
    return now.astimezone(dt.UTC)


class Clock:
    """A copy of the one clock that need not ask the database each time: a base time plus the monotonic clock.

    `base` is the one clock's time at this moment (default: the machine's time). Any thread may read the clock, but only
    one thread may call `rebase`.
    """

    def __init__(
        self,
        base: dt.datetime | None = None,
        *,
        wall: Callable[[], dt.datetime] = machine_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        # Each attribute is replaced as a whole, so that no reader sees half of a change.
        self._zero = (base or wall()) - self._since_boot()
        self._wall_zero = wall() - self._since_boot()

    def now(self) -> dt.datetime:
        """The one clock's time, with the zone UTC; steps of the wall clock don't move it."""
        return self._zero + self._since_boot()

    def rebase(self, now: dt.datetime) -> None:
        """Correct this copy by the one clock's time, which was just read.

        The database's answers have uneven delays of some milliseconds. So if the difference is less than a second, one
        call corrects at most 5 ms: the dispatcher paces its sends by this clock, and they must not come in bursts.
        """
        shift = now - self._since_boot() - self._zero
        if abs(shift) < _UNEVEN:
            shift = max(-_SLEW, min(shift, _SLEW))
        self._zero += shift
        if abs(self.stepped()) <= STEP:
            # Small differences are drift, not a step. They must not add up over months.
            self.accept_step()

    def stepped(self) -> dt.timedelta:
        """The move of the wall clock against the monotonic clock since the last `accept_step`.

        More than STEP is a step, which stays until it is accepted. If the machine's clock is the one clock, call this
        before each `rebase`.
        """
        return self._wall() - self._since_boot() - self._wall_zero

    def accept_step(self) -> None:
        """Accept the machine's wall clock as right. From now on steps are measured against it."""
        self._wall_zero = self._wall() - self._since_boot()

    def _since_boot(self) -> dt.timedelta:
        return dt.timedelta(seconds=self._monotonic())
