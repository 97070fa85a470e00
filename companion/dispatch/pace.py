"""The pace of a bot: how far apart its messages leave, so that it never exceeds its rate. Pure.

Slots lie 30/29 of the plain interval apart: of 30 allowed a second 29 are sent, and the 31st message of any second lies
34 ms outside of it. A message may therefore leave up to LATENESS after its slot; a later message takes a new slot.
"""

import datetime as dt

from companion.delivery.begin import Limits

LATENESS = 0.020
"""Seconds after its slot in which a message may still be written."""
UNPACED = 1000.0
"""Messages a second above which no Bot API server counts so closely, and lateness doesn't matter."""
_SLACK = 30 / 29


def limits(per_second: float, per_chat: float) -> Limits:
    """The limits of a bot that may send so many messages a second, and so many to one chat.

    A chat's gap counts from the begin of one Attempt to the begin of the next.
    """
    gap = dt.timedelta(seconds=_SLACK / per_second)
    return Limits(gap, dt.timedelta(seconds=1 / per_chat + 2 * LATENESS))
