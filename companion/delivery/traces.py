"""The trace that a Message of unknown outcome has left in its bot's counter, and what may be concluded from it. Pure.

Telegram numbers all messages of a bot's private chats, sent and received, with one counter. So a Message that arrived
although its answer was cut off has a number that nobody else accounts for. Each such number is a candidate, and
Telegram is asked whether the chat holds a message of the bot under it. docs/reliability.md says what this rests on.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec

MOST: Final = 200
"""The most numbers that may be candidates: in a longer gap something else happened."""
MARGIN: Final = dt.timedelta(seconds=2)
"""More than the clocks of two dispatchers differ."""
_ASKING: Final = dt.timedelta(seconds=30)
"""The time for the questions, one a second, before a Message that waits for the answers is sent again."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """A number that is accounted for. Telegram gave it at `since` at the earliest (None: nobody knows), and at `by` at
    the latest.
    """

    number: int
    since: dt.datetime | None
    by: dt.datetime


class Doubtful(msgspec.Struct, frozen=True, gc=False):
    """An Attempt that may have taken a number. `ended_at` None: it is on the wire."""

    began_at: dt.datetime
    ended_at: dt.datetime | None

    def over(self, lease: dt.timedelta) -> dt.datetime:
        """The instant from which whatever begins comes after it: its lease is over, and its end written down."""
        lease_end = self.began_at + lease
        return max(lease_end, self.ended_at) if self.ended_at else lease_end


class Case(msgspec.Struct, frozen=True, gc=False):
    """All that is known about an Attempt of unknown outcome."""

    attempt: Doubtful
    lease: dt.timedelta
    known: Sequence[Known]
    """The numbers around it, in any order."""
    same_chat: Sequence[Doubtful]
    """The other Attempts to its chat whose outcome is unknown, or which are on the wire."""
    doubtful: int
    """The count of Attempts to any chat that may have taken a number since it began, itself included."""
    asked: Mapping[int, dt.datetime]
    """The numbers that its chat doesn't hold, each with the time of Telegram's last answer."""
    known_since: dt.datetime | None
    """Since when the numbers are known, and no other program uses the bot; None: they aren't."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Ask Telegram for this number."""

    number: int


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Ask nothing now: time must pass, or a later number must come in."""

    until: dt.datetime | None
    """The time to wait for; None: a later number."""


class NoTrace(msgspec.Struct, frozen=True, gc=False):
    """Telegram holds no trace of it."""


class Nothing(msgspec.Struct, frozen=True, gc=False):
    """Nothing can be concluded, for this reason (for the log)."""

    why: str


Conclusion = Ask | Wait | NoTrace | Nothing


def absence_from(attempt: Doubtful, lease: dt.timedelta) -> dt.datetime:
    """The instant from which "not found" counts: a whole lease after its end, for a request that is slow on its way."""
    return attempt.over(lease) + lease


def resend_at(attempt: Doubtful, lease: dt.timedelta) -> dt.datetime:
    """The instant at which a Message is sent again if its Schedule wants that, and no trace was found until then."""
    return absence_from(attempt, lease) + _ASKING


def latest_resend(now: dt.datetime, lease: dt.timedelta) -> dt.datetime:
    """The latest `resend_at` of an Attempt that has ended by now."""
    return now + 2 * lease + _ASKING


def conclude(case: Case, now: dt.datetime) -> Conclusion:
    """Conclude what to do about an Attempt of unknown outcome."""
    began_at = case.attempt.began_at
    if case.known_since is None or began_at < case.known_since:
        return Nothing("another program uses the bot, or its numbers were not known then")
    before = _before(case)
    if before is None:
        return Nothing("no earlier number is known")
    after = _after(case, before)
    if not _in_order(case.known):
        return Nothing("the numbers don't grow with time")
    if not all(_apart(other, case, before, after) for other in case.same_chat):
        return Nothing("another message to the same chat is unknown, too")
    candidates = _candidates(case, before, after)
    if len(candidates) > MOST:
        return Nothing("too many numbers are unaccounted for")
    counts_from = absence_from(case.attempt, case.lease)
    final = after is not None and now >= counts_from
    open_ones = (one for one in candidates if one not in case.asked or (final and case.asked[one] < counts_from))
    if (number := next(open_ones, None)) is not None:
        return Ask(number)
    if final:
        return NoTrace()
    return Wait(None if after is None else counts_from)


def is_candidate(case: Case, number: int, now: dt.datetime) -> bool:
    """Return whether a message of the bot under this number in the chat can only be this one."""
    open_case = msgspec.structs.replace(case, asked={})
    if isinstance(conclude(open_case, now), Nothing):
        return False
    before = _before(case)
    return before is not None and number in _candidates(case, before, _after(case, before))


def _before(case: Case) -> Known | None:
    """The newest number that was surely given before it began."""
    earlier = (one for one in case.known if one.by < case.attempt.began_at - MARGIN)
    return max(earlier, key=lambda one: one.number, default=None)


def _after(case: Case, before: Known) -> Known | None:
    """The first number that was surely given after it was over."""
    over = case.attempt.over(case.lease)
    later = (one for one in case.known if one.since and one.since > over and one.number > before.number)
    return min(later, key=lambda one: one.number, default=None)


def _in_order(known: Sequence[Known]) -> bool:
    """Return whether the counter grows with time: a clock that was put back breaks this."""
    latest: dt.datetime | None = None
    for one in sorted(known, key=lambda one: one.number):
        if latest and one.by < latest - MARGIN:
            return False
        if one.since and (latest is None or one.since > latest):
            latest = one.since
    return True


def _apart(other: Doubtful, case: Case, before: Known, after: Known | None) -> bool:
    """Return whether a known number lies between two Attempts to one chat: they have no common candidate."""
    if before.since and other.over(case.lease) < before.since:
        return True
    return after is not None and after.by < other.began_at - MARGIN


def _candidates(case: Case, before: Known, after: Known | None) -> list[int]:
    """The numbers that it may have, MOST and one more at most.

    As long as no later number is known, it may also have one of the next.
    """
    taken = {one.number for one in case.known}
    end = after.number if after else max(taken) + 1 + case.doubtful
    return list(islice((one for one in range(before.number + 1, end) if one not in taken), MOST + 1))
