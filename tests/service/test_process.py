"""Stopping and locking, with real processes and real signals."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from companion.service.process import AlreadyRunning, hold_lock

SOON = 20
A_SERVICE = """
from companion.service.process import stop_signal
stop = stop_signal()
print("ready", flush=True)
stop.wait()
print("stopping", flush=True)
{then}
"""
A_LOCK_HOLDER = """
import sys
from pathlib import Path
from companion.service.process import hold_lock
with hold_lock(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def a_process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process, once it has said that it is ready; killed at the end."""
    command = [sys.executable, "-c", code, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert says(process) == "ready"
            yield process
        finally:
            process.kill()


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_a_service_to_stop_and_it_ends_well(number: signal.Signals) -> None:
    with a_process(A_SERVICE.format(then="")) as service:
        service.send_signal(number)

        assert says(service) == "stopping"
        assert service.wait(SOON) == 0


def test_the_second_signal_ends_it_at_once() -> None:
    with a_process(A_SERVICE.format(then="import time; time.sleep(600)")) as service:
        service.terminate()
        assert says(service) == "stopping"

        service.terminate()

        assert service.wait(SOON) == -signal.SIGTERM


def test_a_second_process_is_refused_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "dispatcher.lock"
    with a_process(A_LOCK_HOLDER, str(lock)), pytest.raises(AlreadyRunning, match=r"dispatcher\.lock"), hold_lock(lock):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "dispatcher.lock"
    with a_process(A_LOCK_HOLDER, str(lock)) as holder:
        holder.kill()
        holder.wait(SOON)

    with hold_lock(lock):
        assert lock.stat().st_mode & 0o777 == 0o600


def test_a_lock_that_was_given_back_can_be_taken_again(tmp_path: Path) -> None:
    lock = tmp_path / "dispatcher.lock"
    with hold_lock(lock):
        pass

    with hold_lock(lock):
        pass
