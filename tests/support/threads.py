"""Run acts in threads, each with its own database connection, like requests at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def in_thread(act: Callable[[], T]) -> T:
    """The result of the act in another thread."""
    return at_once([act])[0]


def at_once(acts: list[Callable[[], T]]) -> list[T]:
    """Run all acts at the same time. Raises the first error."""
    with ThreadPoolExecutor(len(acts)) as pool:
        return [future.result() for future in [pool.submit(_closing_connections, act) for act in acts]]


def _closing_connections(act: Callable[[], T]) -> T:
    try:
        return act()
    finally:
        connections.close_all()
