"""A drill: a restored copy of real data is looked at and tried, and reaches nobody.

Whatever would call an outside address asks here first: Telegram, e-mail, webhooks, sources of patients.
"""

from typing import Final

from django.conf import settings

WORDS: Final = "This is a drill: nothing reaches anybody, and nothing comes in."
NOT_IN_A_DRILL: Final = "This is a drill: no outside address is called."


def is_on() -> bool:
    """Whether this process runs in a drill."""
    return bool(settings.DRILL)
