"""The pace of a bot: the time between its messages, so that the bot never exceeds its rate. Pure.

The time between two slots is 30/29 of the plain interval. Where 30 messages a second are allowed, 29 are sent, and the
31st slot comes 34 ms after the end of a second. So a message may leave up to LATENESS after its slot. A message that is
later takes a new slot.
"""

import datetime as dt
from typing import Final

from companion.delivery.begin import Limits

LATENESS: Final = 0.020
"""The seconds after its slot within which a message may still be written."""
UNPACED: Final = 1000.0
"""The rate, in messages a second, above which lateness doesn't matter: no Bot API server counts so exactly."""
_SLACK: Final = 30 / 29


def limits(per_second: float, per_chat: float) -> Limits:
    """Return the limits of a bot from its messages a second, in all and to one chat.

    The gap of a chat is the time from the begin of one Attempt to the begin of the next.
    """
    gap = dt.timedelta(seconds=_SLACK / per_second)
    return Limits(gap, dt.timedelta(seconds=1 / per_chat + 2 * LATENESS))
