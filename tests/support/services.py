"""Real `companion` processes for tests, and waiting for their work. It knows no table of ours."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

DEADLINE = 60.0 * max(1, int(os.environ.get("COMPANION_FAULT_ROUNDS", "3")) // 5)
"""Seconds after which a condition that a test waits for has failed: the machines are slow, and a message that meets
four faults in a row waits up to 30 s for its next try."""

# Not the shared generator: a test that seeds it would give two workers the same ports.
_CHANCE: Final = random.SystemRandom()


@contextmanager
def a_service(
    name: str, environment: Mapping[str, str], *options: str, folder: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `companion <name>` until the block ends, and then kill what is still alive.

    With a folder, it runs there and writes its log to `<name>.log`.
    """
    command = [sys.executable, "-m", "companion.cli.main", name, *options]
    with ExitStack() as stack:
        log = stack.enter_context((folder / f"{name}.log").open("wb")) if folder else None
        process = subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def a_free_port() -> int:
    """Return a port of this machine at which nobody listens, and which Linux gives to no outgoing connection.

    A port of Linux's choice (port 0) is free only until some process connects somewhere.
    """
    for port in _CHANCE.sample(range(10_000, _first_outgoing_port()), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("a hundred ports were all in use")


def _first_outgoing_port() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


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
