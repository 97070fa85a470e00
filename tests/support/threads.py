"""Acts in threads of their own, each with a database connection of its own: what two requests at once are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def in_thread(act: Callable[[], T]) -> T:
    """What it comes to in another thread."""
    return at_once([act])[0]


def at_once(acts: list[Callable[[], T]]) -> list[T]:
    """Runs all of them at the same time. Raises what the first one that failed raises."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(_closing_connections, act) for act in acts]]


def _closing_connections(act: Callable[[], T]) -> T:
    try:
        return act()
    finally:
        connections.close_all()
