"""The one clock that judges due instants and leases: the database server's on PostgreSQL, the machine's on SQLite.

Reading it is all that happens here; what follows from a clock that steps is decided by the dispatcher.
"""

import datetime as dt
import time
from collections.abc import Callable
from typing import Final

from django.db import connections

STEP: Final = dt.timedelta(seconds=5)
"""A wall clock that moves by more than this against the monotonic clock has stepped (DESIGN, "A Message's life")."""
_UNEVEN: Final = dt.timedelta(seconds=1)
_SLEW: Final = dt.timedelta(milliseconds=5)


def machine_now() -> dt.datetime:
    """This machine's wall clock, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def database_now(using: str = "default") -> dt.datetime:
    """The one clock, read now, aware, in UTC. Raises django.db.Error where the database can't be asked."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return machine_now()
    with connection.cursor() as cursor:
        # now() would be the beginning of the transaction.
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    if not isinstance(now, dt.datetime):
        raise TypeError("clock_timestamp() gave no time")
    return now.astimezone(dt.UTC)


class Clock:
    """The one clock without asking the database each time: a base, moved on by the monotonic clock.

    `base` is the one clock's time at this moment (without one: the machine's). Any thread may ask, one may rebase.
    """

    def __init__(
        self,
        base: dt.datetime | None = None,
        *,
        wall: Callable[[], dt.datetime] = machine_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        # Each attribute is exchanged whole, so that no reader sees half of a change.
        self._zero = (base or wall()) - self._since_boot()
        self._wall_zero = wall() - self._since_boot()

    def now(self) -> dt.datetime:
        """The one clock's time, aware, in UTC; a wall clock that steps meanwhile doesn't move it."""
        return self._zero + self._since_boot()

    def rebase(self, now: dt.datetime) -> None:
        """Takes over the one clock's time, just read.

        Answers come with an uneven delay of milliseconds. So a difference below a second is taken over by at most
        5 ms at a time: sends that are paced by this clock must not bunch.
        """
        shift = now - self._since_boot() - self._zero
        if abs(shift) < _UNEVEN:
            shift = max(-_SLEW, min(shift, _SLEW))
        self._zero += shift
        if abs(self.stepped()) <= STEP:
            # Drift is no step: what was small until now doesn't add up over months.
            self.accept_step()

    def stepped(self) -> dt.timedelta:
        """How far the machine's wall clock has moved against its monotonic clock; more than STEP stays until accepted.

        To be asked before each rebase where the machine's clock is the one clock.
        """
        return self._wall() - self._since_boot() - self._wall_zero

    def accept_step(self) -> None:
        """The machine's wall clock is right as it now is: steps count from here on."""
        self._wall_zero = self._wall() - self._since_boot()

    def _since_boot(self) -> dt.timedelta:
        return dt.timedelta(seconds=self._monotonic())
