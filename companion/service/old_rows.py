"""The old rows of rooms above the listener, which deletes them once an hour (listener/cleanup.py).

A room registers its function here when its app is ready, so that the listener doesn't have to import that room.
"""

import datetime as dt
from collections.abc import Callable
from typing import Final

DropOld = Callable[[dt.datetime], None]
_drops: Final[list[DropOld]] = []


def drop_by(drop_old: DropOld) -> None:
    """Register a function that deletes the rows that are old at the given instant."""
    _drops.append(drop_old)


def drop(*, now: dt.datetime) -> None:
    """Let all registered functions delete their old rows."""
    for drop_old in _drops:
        drop_old(now)
