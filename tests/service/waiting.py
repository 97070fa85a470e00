"""Waiting for a condition instead of sleeping for a time."""

import time
from collections.abc import Callable

_PATIENCE = 15.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Returns once the condition holds; raises TimeoutError that names what never came."""
    give_up = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"never came: {what}")
        time.sleep(0.02)
