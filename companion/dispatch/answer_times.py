"""Measure how long Telegram usually takes to answer a bot, and tell when an open answer is late. Pure.

A hanging bot shows here first. While an answer is late, nothing new begins, so that few outcomes become unknown.
"""

import math
import uuid
from bisect import bisect_left, insort
from collections import deque
from typing import Final

USUAL: Final = 4.0
"""The factor for the 99th percentile of recent answers: an answer that takes longer than this is late."""
AT_LEAST: Final = 0.3
"""The number of seconds before which no answer is late."""
AT_MOST: Final = 2.0
"""The number of seconds after which every answer is late."""
UNKNOWN_YET: Final = 1.0
"""The number of seconds after which an answer is late while too few answers were measured."""
_RECENT: Final = 100
_ENOUGH: Final = 10


class AnswerTimes:
    """The open requests of a bot in this process, and the durations of its last answers, in monotonic seconds."""

    def __init__(self) -> None:
        self._open: dict[uuid.UUID, float] = {}
        """The instant at which each request was written, the oldest first."""
        self._took: deque[float] = deque()
        """The durations of the last answers in seconds, the oldest first."""
        self._ascending: list[float] = []
        """The durations in ascending order. They are kept sorted, because a runner asks after each message."""
        self._from = -math.inf
        """Requests that were written before this time are known to hang: their ends say nothing new."""

    def request_written(self, attempt: uuid.UUID, at: float) -> None:
        """Note that a request is being written."""
        self._open[attempt] = at

    def ended(self, attempt: uuid.UUID, at: float, *, answered: bool) -> bool:
        """Note that a request has ended. Return whether its end says something about the bot's present state."""
        began = self._open.pop(attempt)
        if answered:
            self._note(at - began)
        return began >= self._from

    def start_afresh(self, at: float) -> None:
        """Ignore the open requests: only requests from now on show whether the bot hangs."""
        self._from = at

    def late_at(self) -> float:
        """Return the time from which the oldest open answer is late; infinity if no answer is open."""
        oldest = next((began for began in self._open.values() if began >= self._from), math.inf)
        return oldest + self.patience()

    def patience(self) -> float:
        """Return the number of seconds after which an answer is late."""
        if len(self._took) < _ENOUGH:
            return UNKNOWN_YET
        ninety_ninth = self._ascending[math.ceil(0.99 * len(self._took)) - 1]
        return min(max(USUAL * ninety_ninth, AT_LEAST), AT_MOST)

    def _note(self, seconds: float) -> None:
        if len(self._took) == _RECENT:
            del self._ascending[bisect_left(self._ascending, self._took.popleft())]
        self._took.append(seconds)
        insort(self._ascending, seconds)
