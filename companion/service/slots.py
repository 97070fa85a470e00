"""Slots: so many pieces of work at once for one owner, in this process. Who finds none is told to come again."""

import threading
import uuid
from collections import Counter
from typing import Final


class Busy(Exception):
    """No more is taken on for this owner now (HTTP 429); the message is for people."""

    def __init__(self, said: str, seconds: int = 1) -> None:
        super().__init__(said)
        self.seconds = seconds
        """The seconds after which it is worth asking again."""


class Slots:
    """Slots for acts that an owner may do at the same time, `most` for each owner."""

    def __init__(self, most: int, said: str) -> None:
        self._most, self._said = most, said
        self._taken: Counter[uuid.UUID] = Counter()
        self._lock = threading.Lock()

    def take(self, owner: uuid.UUID) -> None:
        """Take a slot. Raises Busy."""
        with self._lock:
            if self._taken[owner] >= self._most:
                raise Busy(self._said)
            self._taken[owner] += 1

    def give_back(self, owner: uuid.UUID) -> None:
        """Give a taken slot back."""
        with self._lock:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]


CALLS: Final = Slots(8, "Too many calls of this clinic's programs run at once. Let some end first.")
"""Calls by a clinic's API keys: half of the web service's threads."""
LONG: Final = Slots(2, "Two imports or exports of this clinic are running. Let one end first.")
"""Imports and exports of a clinic, by pages and programs."""
