"""Supervision of child processes: start them, restart those that die or hang, stop all together.

A child ends when its parent ends, even after kill -9: the child holds the reading end of a pipe to which only the
parent can write, and gets an end of file when the parent is gone.
"""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from companion.service import watchdog
from companion.service.watchdog import Ear

log = structlog.stdlib.get_logger(__name__)
PARENT_PIPE: Final = "COMPANION_PARENT_PIPE"
GRACE_SECONDS: Final = 35.0
"""The seconds that a child gets to stop: more than the longest request to Telegram takes."""
SILENCE_SECONDS: Final = 60.0
"""A child hangs if it has reported once, and then doesn't report for this number of seconds.

Children report every 5 s, and later only if the database makes them wait.
"""
_POLL_SECONDS: Final = 0.1
_LONGEST_PASSED: Final = 1.0
"""The longest time counted between two checks. If more time passes, this process itself was stopped, not a child."""
_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_WELL_AFTER: Final = 60.0
"""The seconds after which a running child counts as well, so that its next end counts as the first."""


def supervise(
    commands: dict[str, list[str]],
    *,
    env: Mapping[str, str],
    stop: threading.Event,
    grace_seconds: float = GRACE_SECONDS,
    silence_seconds: float = SILENCE_SECONDS,
) -> int:
    """Run the commands, by name, until `stop` is set. They write to this process's output.

    Returns the exit code: 0, or 1 if a child had to be killed to stop it.
    """
    with _parent_pipe() as pipe, _ears(commands) as ears:
        children = [
            _Child(name, command, pipe, {**env, PARENT_PIPE: str(pipe), watchdog.SOCKET: str(ear.path)}, ear)
            for (name, command), ear in zip(commands.items(), ears, strict=True)
        ]
        checked = time.monotonic()
        try:
            while not stop.wait(_POLL_SECONDS):
                now = time.monotonic()
                passed, checked = min(now - checked, _LONGEST_PASSED), now
                for child in children:
                    child.listen(passed, silence_seconds)
                    child.keep_running(now)
        finally:
            killed = _stop_all(children, grace_seconds)
    return 1 if killed else 0


def end_with_parent(*, grace_seconds: float = GRACE_SECONDS) -> None:
    """Make this child process end with its parent: it gets SIGTERM once the parent is gone, and is killed later.

    Call it when the child starts. Does nothing in a process that `supervise` did not start.
    """
    pipe = os.environ.pop(PARENT_PIPE, None)
    if pipe is None:
        return
    # Child processes of this process must not inherit the pipe.
    os.set_inheritable(int(pipe), False)

    def wait() -> None:
        os.read(int(pipe), 1)
        log.warning("the parent is gone: stopping")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
        os._exit(1)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


@dataclass(slots=True)
class _Child:
    """A command, and its process while it runs."""

    name: str
    command: list[str]
    pipe: int
    env: dict[str, str]
    ear: Ear
    process: subprocess.Popen[bytes] | None = None
    silent: float | None = None
    """The seconds since the process last reported; None: it has not reported yet, and so is not watched."""
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = _SHORTEST_PAUSE

    def listen(self, passed: float, silence_seconds: float) -> None:
        """Kill the process if it hangs. `passed`: the seconds since the last call."""
        if self.ear.heard():
            self.silent = 0.0
        elif self.silent is not None:
            self.silent += passed
        if self.process is not None and self.silent is not None and self.silent >= silence_seconds:
            log.error("a service hangs and is killed", service=self.name, silent_seconds=round(self.silent))
            # SIGTERM is not enough: a process that hangs may never handle it.
            self.process.kill()
            self.process.wait()

    def keep_running(self, now: float) -> None:
        """Start the process again, after a pause, once it has ended."""
        if self.process is not None and self.process.poll() is not None:
            self._ended(self.process.returncode, now)
        if self.process is None and now >= self.start_at:
            self._start(now)

    def _ended(self, code: int, now: float) -> None:
        if now - self.started_at >= _WELL_AFTER:
            self.pause = _SHORTEST_PAUSE
        log.error("a service ended by itself", service=self.name, exit_code=code, again_in_seconds=self.pause)
        self.process, self.silent, self.start_at = None, None, now + self.pause
        self.pause = min(self.pause * 2, _LONGEST_PAUSE)

    def _start(self, now: float) -> None:
        # In a new session the child doesn't get Ctrl-C. Only the parent gets it, and stops each child once.
        self.process = subprocess.Popen(  # noqa: S603  (the product's own commands)
            self.command, env=self.env, pass_fds=[self.pipe], stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.started_at = now


@contextmanager
def _ears(commands: Mapping[str, list[str]]) -> Iterator[list[Ear]]:
    """Listen to each child at a separate address, in a folder that only this user may open."""
    with tempfile.TemporaryDirectory(prefix="companion-") as folder:
        ears = [Ear(Path(folder) / str(number)) for number in range(len(commands))]
        try:
            yield ears
        finally:
            for ear in ears:
                ear.close()


@contextmanager
def _parent_pipe() -> Iterator[int]:
    """Make the pipe: the reading end for children, the writing end for this process, closed when it ends."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def _stop_all(children: list[_Child], grace_seconds: float) -> list[str]:
    """Send SIGTERM to all, wait, then SIGKILL; return the names of the killed."""
    running = [(child.name, child.process) for child in children if child.process is not None]
    for _, process in running:
        process.terminate()
    until = time.monotonic() + grace_seconds
    killed = []
    for name, process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(until - time.monotonic(), 0))
        if process.poll() is None:
            log.error("a service did not stop in time and is killed", service=name)
            process.kill()
            process.wait()
            killed.append(name)
    return killed
