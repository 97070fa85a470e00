"""Slot arithmetic: when a bot's next messages may leave so that its rate is never exceeded. Pure.

Slots lie 30/29 of the plain interval apart: 30 a second allowed makes 29 sent, and the 31st of any second's window is
34 ms away. A message may therefore leave up to LATENESS after its slot; later ones take a new slot.
"""

import datetime as dt

LATENESS = 0.020
"""Seconds after its slot in which a message may still be written."""
_SLACK = 30 / 29
UNPACED = 1000.0
"""Messages a second from which on no Bot API server counts so closely, and lateness doesn't matter."""


def gap(rate_per_second: float) -> dt.timedelta:
    """The time between two slots."""
    return dt.timedelta(seconds=_SLACK / rate_per_second)


def chat_gap(rate_per_chat: float) -> dt.timedelta:
    """The time between two messages to one chat, counted from the begin of one to the begin of the next."""
    return dt.timedelta(seconds=1 / rate_per_chat + 2 * LATENESS)


def slots(
    next_slot: dt.datetime | None, *, now: dt.datetime, until: dt.datetime, rate: float, most: int
) -> list[dt.datetime]:
    """The free slots from `next_slot` on (from now, where it lies in the past) up to `until`, at most `most`."""
    step = gap(rate)
    first = now if next_slot is None else max(next_slot, now)
    found: list[dt.datetime] = []
    while first <= until and len(found) < most:
        found.append(first)
        first += step
    return found


def after(last: dt.datetime, rate: float) -> dt.datetime:
    """The first slot that is free once `last` is taken."""
    return last + gap(rate)
