"""Measure how long Telegram usually takes to answer a bot, and tell when an open answer is late. Pure.

A hang shows here first: nothing new begins while an answer is late, so that few messages become unknown.
"""

import math
import uuid
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
        self._took: deque[float] = deque(maxlen=_RECENT)
        self._from = -math.inf
        """Requests written before are known to hang: they say nothing new."""

    def request_written(self, attempt: uuid.UUID, at: float) -> None:
        """Note that a request is written now."""
        self._open[attempt] = at

    def ended(self, attempt: uuid.UUID, at: float, *, answered: bool) -> bool:
        """Note that a request has ended. Returns whether its end says something about the bot as it is now."""
        began = self._open.pop(attempt)
        if answered:
            self._took.append(at - began)
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
        ninety_ninth = sorted(self._took)[math.ceil(0.99 * len(self._took)) - 1]
        return min(max(USUAL * ninety_ninth, AT_LEAST), AT_MOST)
