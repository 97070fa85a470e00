"""What one bot has in hand: Messages claimed ahead, those whose time has come in the order in which they go.

Pure bookkeeping; runner.py claims and begins.
"""

import datetime as dt
import heapq
import itertools
import math
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from companion.schedules import queue
from companion.schedules.models import Lane
from companion.schedules.queue import Claimed

AHEAD = dt.timedelta(seconds=2)
"""What is ready within this time is claimed ahead."""
_FAST = (Lane.ANSWER, Lane.REMINDER, Lane.STRANGER)


class Held(NamedTuple):
    """A claimed Message in its place in the queue. `lease_end` is on the monotonic clock."""

    lane: int
    ready_at: dt.datetime
    order: int
    """No two have the same, so that nothing after it is ever compared."""
    claimed: Claimed
    lease_end: float


class Feed:
    """What one bot's runner holds. `room`: how many of the fast lanes, and how many broadcasts, at most."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._coming: list[tuple[dt.datetime, Held]] = []
        self._ready: list[Held] = []
        self._count = {True: 0, False: 0}
        self._order = itertools.count()
        self._first_lease_end = math.inf
        """No lease of what is held ends before this."""

    def __len__(self) -> int:
        return self._count[True] + self._count[False]

    def room_for(self, lane: int) -> int:
        """How many more of this lane may be claimed. Broadcasts have room of their own, so that they block nobody."""
        return self.room - self._count[lane in _FAST]

    def add(self, claimed: Iterable[Claimed], lease_end: float) -> None:
        """Takes claimed Messages in."""
        self._first_lease_end = min(self._first_lease_end, lease_end)
        for one in claimed:
            held = Held(one.lane, one.ready_at, next(self._order), one, lease_end)
            heapq.heappush(self._coming, (one.ready_at, held))
            self._count[one.lane in _FAST] += 1

    def take(self, most: int, now: dt.datetime) -> list[Held]:
        """Takes out at most so many whose time has come: by lane, then by time."""
        while self._coming and self._coming[0][0] <= now:
            heapq.heappush(self._ready, heapq.heappop(self._coming)[1])
        taken = [heapq.heappop(self._ready) for _ in range(min(most, len(self._ready)))]
        for held in taken:
            self._count[held.lane in _FAST] -= 1
        return taken

    def put_back(self, held: Iterable[Held]) -> None:
        """Takes back in what was taken out and could not begin."""
        for one in held:
            heapq.heappush(self._ready, one)
            self._count[one.lane in _FAST] += 1

    def next_at(self) -> dt.datetime | None:
        """When the next one's time comes; in the past where some wait already."""
        if self._ready:
            return self._ready[0].ready_at
        return self._coming[0][0] if self._coming else None

    def stale(self, reserve: float) -> list[Held]:
        """Takes out those whose lease has less than `reserve` seconds left."""
        limit = time.monotonic() + reserve
        if self._first_lease_end >= limit:
            return []
        everything = self.clear()
        fresh = [one for one in everything if one.lease_end >= limit]
        self._first_lease_end = min((one.lease_end for one in fresh), default=math.inf)
        for one in fresh:
            heapq.heappush(self._coming, (one.ready_at, one))
            self._count[one.lane in _FAST] += 1
        return [one for one in everything if one.lease_end < limit]

    def clear(self) -> list[Held]:
        """Takes everything out."""
        everything = list(self._all())
        self._coming, self._ready, self._count = [], [], {True: 0, False: 0}
        return everything

    def _all(self) -> Iterable[Held]:
        return itertools.chain(self._ready, (held for _, held in self._coming))


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim brought."""

    claimed: tuple[Claimed, ...]
    more: bool
    """Whether there may be more that is ready, and was left for lack of room."""
    again_at: dt.datetime | None
    """When, for all that is known now, there is something to claim again; None: no more is planned."""


def claim_ahead(
    clinic: uuid.UUID, room: dict[int, int], *, now: dt.datetime, lease: uuid.UUID, seconds: float
) -> Claim:
    """Claims what is ready within AHEAD, lane by lane. `room`: how many of each at most; fast lanes share theirs."""
    until, ready_before = now + dt.timedelta(seconds=seconds), now + AHEAD
    found: list[Claimed] = []
    more = False
    fast = max(room[lane] for lane in _FAST)
    for lane in sorted(Lane.values):
        limit = fast if lane in _FAST else room[lane]
        if limit <= 0:
            more = True
            continue
        got = queue.claim(clinic, lane, now=now, ready_before=ready_before, limit=limit, lease=lease, until=until)
        more = more or len(got) == limit
        fast -= len(got) if lane in _FAST else 0
        found += got
    return Claim(tuple(found), more, None if more else _again_at(clinic, ready_before, now))


def _again_at(clinic: uuid.UUID, ready_before: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    next_ready = queue.next_ready(clinic, now=now)
    # What others hold comes free with its lease, should they die.
    times = next_ready and next_ready - AHEAD, queue.next_lease_end(clinic, ready_before=ready_before)
    return min((at for at in times if at), default=None)
