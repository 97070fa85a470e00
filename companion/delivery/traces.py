"""Conclude from the numbers of a bot's messages whether a Message of unknown outcome has arrived. Pure.

Telegram numbers all messages of a bot's private chats, sent and received, with one counter. So if a Message arrived
although its answer was lost, there is a number that belongs to no known message. Each such number is a candidate:
Telegram is asked whether the chat holds a message of the bot with this number. docs/reliability.md explains on what
this relies.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec

MOST: Final = 200
"""The largest number of candidates. If there are more, something else has happened."""
MARGIN: Final = dt.timedelta(seconds=2)
"""More than the difference between the clocks of two dispatchers."""
_ASKING: Final = dt.timedelta(seconds=30)
"""The time for questions, one a second, before a Message that waits for the answers is sent again."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """A number whose message is known.

    Telegram gave the number to the message not earlier than `since` (None if unknown) and not later than `by`.
    """

    number: int
    since: dt.datetime | None
    by: dt.datetime


class Doubtful(msgspec.Struct, frozen=True, gc=False):
    """An Attempt that may have got a number. `ended_at` is None while it is on the wire."""

    began_at: dt.datetime
    ended_at: dt.datetime | None

    def over(self, lease: dt.timedelta) -> dt.datetime:
        """Return the instant at which the Attempt is surely over: its lease and its recorded end have passed."""
        lease_end = self.began_at + lease
        return max(lease_end, self.ended_at) if self.ended_at else lease_end


class Case(msgspec.Struct, frozen=True, gc=False):
    """Everything that is known about an Attempt of unknown outcome."""

    attempt: Doubtful
    lease: dt.timedelta
    known: Sequence[Known]
    """The numbers around it, in any order."""
    same_chat: Sequence[Doubtful]
    """The other Attempts to its chat that are of unknown outcome or on the wire."""
    doubtful: int
    """The number of Attempts to any chat that may have got a number since its begin, including itself."""
    asked: Mapping[int, dt.datetime]
    """The numbers that its chat doesn't hold, each with the time of Telegram's last answer."""
    known_since: dt.datetime | None
    """The time since which all numbers are known and no other program uses the bot; None if they aren't known."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """Ask Telegram about this number."""

    number: int


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Ask nothing now: wait for a time, or until a later number is known."""

    until: dt.datetime | None
    """The time to wait for; None to wait for a later number."""


class NoTrace(msgspec.Struct, frozen=True, gc=False):
    """Telegram shows no trace of the Attempt: the Message has not arrived."""


class Nothing(msgspec.Struct, frozen=True, gc=False):
    """Nothing can be concluded, for this reason (for the log)."""

    why: str


Conclusion = Ask | Wait | NoTrace | Nothing


def absence_from(attempt: Doubtful, lease: dt.timedelta) -> dt.datetime:
    """Return the instant from which "not found" counts: a lease after its end, since a request may be slow."""
    return attempt.over(lease) + lease


def resend_at(attempt: Doubtful, lease: dt.timedelta) -> dt.datetime:
    """Return the instant at which a Message is sent again if its Schedule says so and no trace was found by then."""
    return absence_from(attempt, lease) + _ASKING


def latest_resend(now: dt.datetime, lease: dt.timedelta) -> dt.datetime:
    """Return the latest `resend_at` that an Attempt that has ended by now can have."""
    return now + 2 * lease + _ASKING


def conclusion(case: Case, now: dt.datetime) -> Conclusion:
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
        return Nothing("too many numbers belong to no known message")
    counts_from = absence_from(case.attempt, case.lease)
    final = after is not None and now >= counts_from
    unasked = (
        number for number in candidates if number not in case.asked or (final and case.asked[number] < counts_from)
    )
    if (number := next(unasked, None)) is not None:
        return Ask(number)
    if final:
        return NoTrace()
    return Wait(None if after is None else counts_from)


def is_candidate(case: Case, number: int, now: dt.datetime) -> bool:
    """Return whether a message of the bot with this number in the chat can only be this Message."""
    unasked_case = msgspec.structs.replace(case, asked={})
    if isinstance(conclusion(unasked_case, now), Nothing):
        return False
    before = _before(case)
    return before is not None and number in _candidates(case, before, _after(case, before))


def _before(case: Case) -> Known | None:
    """Return the newest number that was surely given before the Attempt began."""
    earlier = (known for known in case.known if known.by < case.attempt.began_at - MARGIN)
    return max(earlier, key=lambda known: known.number, default=None)


def _after(case: Case, before: Known) -> Known | None:
    """Return the first number that was surely given after the Attempt was over."""
    over = case.attempt.over(case.lease)
    later = (known for known in case.known if known.since and known.since > over and known.number > before.number)
    return min(later, key=lambda known: known.number, default=None)


def _in_order(known: Sequence[Known]) -> bool:
    """Return whether the numbers grow with time. They don't if a clock was set back."""
    latest: dt.datetime | None = None
    for row in sorted(known, key=lambda row: row.number):
        if latest and row.by < latest - MARGIN:
            return False
        if row.since and (latest is None or row.since > latest):
            latest = row.since
    return True


def _apart(other: Doubtful, case: Case, before: Known, after: Known | None) -> bool:
    """Return whether a known number lies between two Attempts to a chat. Then no candidate can belong to both."""
    if before.since and other.over(case.lease) < before.since:
        return True
    return after is not None and after.by < other.began_at - MARGIN


def _candidates(case: Case, before: Known, after: Known | None) -> list[int]:
    """Return the numbers that the Attempt may have got. At most MOST + 1 numbers are listed.

    While no later number is known, these may also be numbers after the newest known number.
    """
    taken = {known.number for known in case.known}
    end = after.number if after else max(taken) + 1 + case.doubtful
    return list(islice((number for number in range(before.number + 1, end) if number not in taken), MOST + 1))
