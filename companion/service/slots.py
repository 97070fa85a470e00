"""Slots: limits for the work that this process does at the same time for one owner, such as a clinic."""

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

Owner = uuid.UUID | int | str
"""The id or slug of a clinic, or the id of a person's account."""


class Busy(Exception):
    """The owner has reached a limit (HTTP 429). The message is for people."""

    def __init__(self, sentence: str, seconds: int = 1) -> None:
        super().__init__(sentence)
        self.seconds = seconds
        """The seconds after which the caller may try again."""


@dataclass(frozen=True, slots=True)
class Altogether:
    """A limit for all owners together. `reserve`: further slots, each only for an owner who has none at the moment.

    So owners who hold many slots leave some to the others, and all owners together leave threads to other work.
    """

    most: int
    reserve: int
    sentence: str


class Slots:
    """Slots for acts that run at the same time: `most` for each owner. `sentence` tells people when none is free."""

    def __init__(self, most: int, sentence: str, altogether: Altogether | None = None) -> None:
        self._most, self._sentence, self._altogether = most, sentence, altogether
        self._taken: Counter[Owner] = Counter()
        self._lock = threading.Lock()

    def take(self, owner: Owner) -> None:
        """Take a slot. Raises Busy if none is free."""
        with self._lock:
            own, limit = self._taken[owner], self._altogether
            if own >= self._most:
                raise Busy(self._sentence)
            if limit and self._taken.total() >= limit.most + (0 if own else limit.reserve):
                raise Busy(limit.sentence)
            self._taken[owner] += 1

    def give_back(self, owner: Owner) -> None:
        """Give a slot back."""
        with self._lock:
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]

    @contextmanager
    def taken(self, owner: Owner) -> Iterator[None]:
        """Hold a slot while the block runs. Raises Busy if none is free."""
        self.take(owner)
        try:
            yield
        finally:
            self.give_back(owner)


_CROWDED: Final = "The programs of all clinics make too many calls at this moment. Try again in a second."
CALLS: Final = Slots(
    8,
    "Too many calls of this clinic's programs run at the same time. Wait until some have ended.",
    Altogether(10, 4, _CROWDED),
)
"""Calls by API keys: of a clinic half of the web service's 16 threads, of all clinics 14, so that pages always open."""
PEOPLE: Final = Slots(6, "Several of your pages are still being made. Wait a moment, then try again.")
"""Pages of a signed-in person, and calls with a session. A browser asks a server for six pages at once at most."""
LONG: Final = Slots(2, "Two imports or exports of this clinic are running. Wait until one of them has ended.")
"""Imports and exports of a clinic, by pages and programs."""
OUTSIDE: Final = Slots(
    2,
    "Two tests of this clinic wait for an answer. Wait until one of them has ended.",
    Altogether(4, 4, "Tests of several clinics wait for an answer. Try again in some seconds."),
)
"""Tests of a clinic's webhooks, mails and bots by pages. Each waits up to ten seconds for another server."""
SIGN_INS: Final = Slots(
    4,
    "Other people are signing in at this moment, and their sign-in service is slow.",
    Altogether(6, 2, "People of several clinics are signing in at this moment, and their sign-in services are slow."),
)
"""Sign-ins by a clinic's service. Anybody can begin a sign-in, and each waits up to ten seconds for the service."""
MAILS: Final = Slots(2, "two others to this person are on their way")
"""E-mails about a person's account. Each waits some seconds for a slow mail server, in the thread of its page."""
DOWNLOADS: Final = Slots(4, "Other files of this clinic are being fetched just now. Try again in a moment.")
"""Patients' files of a clinic that are being fetched from Telegram, or wait for it."""
