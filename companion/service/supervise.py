"""Keep child processes running: start them, restart those that die or hang, stop all together. Knows nothing of their
work.

A child ends when its parent ends, even after kill -9: the child holds the reading end of a pipe to which only the
parent can write, and sees the end of file.
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
"""The time that a child gets to stop: longer than the longest request to Telegram."""
SILENCE_SECONDS: Final = 60.0
"""A child that has spoken once and is silent for so long hangs. Children speak every 5 s, later only if the database
keeps them waiting.
"""
_LOOK_SECONDS: Final = 0.1
_LONGEST_PASSED: Final = 1.0
"""More time than this between two checks means that this process itself was held up, and no child is to blame."""
_SHORTEST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_WELL_AFTER: Final = 60.0
"""A child that ran this long was well, so its next end counts as its first."""


def supervise(
    commands: dict[str, list[str]],
    *,
    env: Mapping[str, str],
    stop: threading.Event,
    grace_seconds: float = GRACE_SECONDS,
    silence_seconds: float = SILENCE_SECONDS,
) -> int:
    """Run the commands, by name, until `stop`; each writes to this process's own output.

    Returns the exit code: 0, or 1 if a child had to be killed to stop it.
    """
    with _parent_pipe() as pipe, _ears(commands) as ears:
        children = [
            _Child(name, command, pipe, {**env, PARENT_PIPE: str(pipe), watchdog.SOCKET: str(ear.path)}, ear)
            for (name, command), ear in zip(commands.items(), ears, strict=True)
        ]
        checked = time.monotonic()
        try:
            while not stop.wait(_LOOK_SECONDS):
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
    # This process's own children don't need the variable either.
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
    """A command and, most of the time, its process."""

    name: str
    command: list[str]
    pipe: int
    env: dict[str, str]
    ear: Ear
    process: subprocess.Popen[bytes] | None = None
    silent: float | None = None
    """The seconds since the process last spoke; None: it has not spoken yet, and so is not watched."""
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
            # Not SIGTERM, which a process that hangs may never notice.
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
        # A session of its own: Ctrl-C reaches the parent only, which then stops all, each once.
        self.process = subprocess.Popen(  # noqa: S603  (the product's own commands)
            self.command, env=self.env, pass_fds=[self.pipe], stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.started_at = now


@contextmanager
def _ears(commands: Mapping[str, list[str]]) -> Iterator[list[Ear]]:
    """Listen to each child at an address of its own, in a folder that only this user may enter."""
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
