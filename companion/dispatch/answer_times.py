"""Measure how long Telegram usually takes to answer a bot, and tell when an open answer is late. Pure.

A hang shows here first: nothing new begins while an answer is late, so that few messages become unknown.
"""

import math
import uuid
from bisect import bisect_left, insort
from collections import deque
from typing import Final

USUAL: Final = 4.0
"""An answer is late after so many times the recent 99th percentile."""
AT_LEAST: Final = 0.3
"""The seconds before which no answer is late."""
AT_MOST: Final = 2.0
"""The seconds after which every answer is late."""
UNKNOWN_YET: Final = 1.0
"""The seconds after which an answer is late as long as too few have come."""
_RECENT: Final = 100
_ENOUGH: Final = 10


class AnswerTimes:
    """The open requests of a bot in this process, and how long its last answers took. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._open: dict[uuid.UUID, float] = {}
        """The instant at which each request was written, the oldest first."""
        self._took: deque[float] = deque()
        """The seconds of the last answers, the oldest first."""
        self._ascending: list[float] = []
        """The same, the shortest first. Kept in order, because a runner asks for them after each message."""
        self._from = -math.inf
        """Requests written before are known to hang: they say nothing new."""

    def request_written(self, attempt: uuid.UUID, at: float) -> None:
        """Note that a request is written now."""
        self._open[attempt] = at

    def ended(self, attempt: uuid.UUID, at: float, *, answered: bool) -> bool:
        """Note that a request has ended. Returns whether its end says something about the bot as it is now."""
        began = self._open.pop(attempt)
        if answered:
            self._note(at - began)
        return began >= self._from

    def start_afresh(self, at: float) -> None:
        """Let only requests from now on tell whether the bot hangs."""
        self._from = at

    def late_at(self) -> float:
        """Return when the oldest open answer will be late; infinity if none is open."""
        oldest = next((began for began in self._open.values() if began >= self._from), math.inf)
        return oldest + self.patience()

    def patience(self) -> float:
        """The seconds after which an answer is later than usual."""
        if len(self._took) < _ENOUGH:
            return UNKNOWN_YET
        ninety_ninth = self._ascending[math.ceil(0.99 * len(self._took)) - 1]
        return min(max(USUAL * ninety_ninth, AT_LEAST), AT_MOST)

    def _note(self, seconds: float) -> None:
        if len(self._took) == _RECENT:
            del self._ascending[bisect_left(self._ascending, self._took.popleft())]
        self._took.append(seconds)
        insort(self._ascending, seconds)
