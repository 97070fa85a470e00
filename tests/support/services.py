"""Real `companion` processes for tests, and waiting for their work. It knows no table of ours."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

DEADLINE = 60.0 * max(1, int(os.environ.get("COMPANION_FAULT_ROUNDS", "3")) // 5)
"""Seconds after which a condition that a test waits for has failed: the machines are slow, and a message that meets
four faults in a row waits up to 30 s for its next try."""


@contextmanager
def a_service(name: str, environment: Mapping[str, str], *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `companion <name>` until the block ends, and then kill what is still alive."""
    process = subprocess.Popen([sys.executable, "-m", "companion.cli.main", name, *options], env=dict(environment))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def stop(process: "subprocess.Popen[bytes]", number: int = signal.SIGTERM) -> int:
    """Send the signal, wait for the end, and return the exit status."""
    os.kill(process.pid, number)
    return process.wait(DEADLINE)


def eventually(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait until the condition holds. Fails after DEADLINE."""
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come true within {DEADLINE:.0f} s")
        time.sleep(0.02)
