"""A drill: people try a restored copy of real data, and no patient is reached.

Code that would call an outside address (Telegram, e-mail, webhooks, sources of patients) asks here first.
"""

from typing import Final

from django.conf import settings

WORDS: Final = "This is a drill: no message is sent, and none is received."
NOT_IN_A_DRILL: Final = "This is a drill: no outside address is called."


def is_on() -> bool:
    """Return whether this process runs in a drill."""
    return bool(settings.DRILL)
