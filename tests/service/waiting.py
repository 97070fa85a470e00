"""Waiting for a condition instead of sleeping for a time."""

import time
from collections.abc import Callable

_PATIENCE = 15.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition holds. Raises TimeoutError, which names what never came."""
    give_up = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"never came: {what}")
        time.sleep(0.02)
