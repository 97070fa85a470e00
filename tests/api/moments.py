"""Calls that begin at one moment, each in a thread with its own database connection."""

import threading
from collections.abc import Callable

from django.db import connection


def at_one_moment(times: int, call: Callable[[], int]) -> list[int]:
    """The results of the calls."""
    together, results = threading.Barrier(times), list[int]()

    def run() -> None:
        together.wait()
        try:
            results.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == times
    return results
