"""Supervision with real children: restarted, stopped together, and gone when the parent is killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from companion.service.supervise import supervise
from tests.service.waiting import until

A_CHILD = """
import os, sys
from pathlib import Path
from companion.service.process import stop_signal
from companion.service.supervise import end_with_parent
end_with_parent()
stop = stop_signal()
with Path(sys.argv[1]).open("a") as notes:
    print("started", os.getpid(), file=notes, flush=True)
    stop.wait()
    print("stopped", os.getpid(), file=notes, flush=True)
"""
A_STUBBORN_CHILD = """
import os, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with Path(sys.argv[1]).open("a") as notes:
    print("started", os.getpid(), file=notes, flush=True)
time.sleep(600)
"""
A_TALKING_CHILD = """
import os, sys, time
from pathlib import Path
from companion.service import watchdog
with Path(sys.argv[1]).open("a") as notes:
    print("started", os.getpid(), file=notes, flush=True)
for word in range({words}):
    watchdog.tell(watchdog.ALIVE)
    time.sleep(0.05)
time.sleep(600)
"""
A_PARENT = """
import os, sys, threading
from companion.service.supervise import supervise
children = {name: [sys.executable, "-c", sys.argv[1], name] for name in sys.argv[2:]}
supervise(children, env=os.environ, stop=threading.Event())
"""


class Notes:
    """Return the notes that a child writes about its life."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _pids(self, word: str) -> list[int]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(word + " ")]

    @property
    def started(self) -> list[int]:
        return self._pids("started")

    @property
    def stopped(self) -> list[int]:
        return self._pids("stopped")

    def command(self, code: str = A_CHILD) -> list[str]:
        return [sys.executable, "-c", code, str(self.path)]


@contextmanager
def supervised(
    commands: dict[str, list[str]], *, grace_seconds: float = 20, silence_seconds: float = 60
) -> Iterator[Callable[[], int]]:
    """Supervision in a thread; gives a function that stops it and returns its exit code."""
    stop = threading.Event()
    codes: list[int] = []

    def run() -> None:
        codes.append(
            supervise(commands, env=os.environ, stop=stop, grace_seconds=grace_seconds, silence_seconds=silence_seconds)
        )

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> int:
        stop.set()
        thread.join()
        return codes[0]

    try:
        yield end
    finally:
        end()


def test_children_stop_together_each_in_its_own_way(tmp_path: Path) -> None:
    web, listener = Notes(tmp_path / "web"), Notes(tmp_path / "listener")
    with supervised({"web": web.command(), "listener": listener.command()}) as end:
        until(lambda: len(web.started) == len(listener.started) == 1, "both children")

        assert end() == 0

    assert web.stopped == web.started
    assert listener.stopped == listener.started


def test_a_child_that_dies_is_started_again_and_the_other_is_left_alone(tmp_path: Path) -> None:
    web, listener = Notes(tmp_path / "web"), Notes(tmp_path / "listener")
    with supervised({"web": web.command(), "listener": listener.command()}):
        until(lambda: len(web.started) == len(listener.started) == 1, "both children")

        os.kill(web.started[0], signal.SIGKILL)

        until(lambda: len(web.started) == 2, "the child's second life")
        assert len(listener.started) == 1


def test_a_child_that_does_not_stop_is_killed_in_the_end(tmp_path: Path) -> None:
    stubborn = Notes(tmp_path / "stubborn")
    with supervised({"web": stubborn.command(A_STUBBORN_CHILD)}, grace_seconds=0.1) as end:
        until(lambda: len(stubborn.started) == 1, "the child")

        assert end() == 1

    assert not is_alive(stubborn.started[0])


def test_a_child_that_falls_silent_is_started_again_and_a_child_that_reports_or_never_reported_is_not(
    tmp_path: Path,
) -> None:
    hanging, talking, mute = (Notes(tmp_path / name) for name in ("hanging", "talking", "mute"))
    commands = {
        "hanging": hanging.command(A_TALKING_CHILD.format(words=1)),
        "talking": talking.command(A_TALKING_CHILD.format(words=10_000)),
        "mute": mute.command(),
    }

    with supervised(commands, grace_seconds=0.1, silence_seconds=2):
        until(lambda: len(hanging.started) == 2, "the hanging child's second life")

        assert not is_alive(hanging.started[0])
        assert (len(talking.started), len(mute.started)) == (1, 1)


def test_children_stop_cleanly_when_their_parent_is_killed(tmp_path: Path) -> None:
    notes = [Notes(tmp_path / "web"), Notes(tmp_path / "dispatcher")]
    parent = subprocess.Popen([sys.executable, "-c", A_PARENT, A_CHILD, *(str(each.path) for each in notes)])
    with parent:
        until(lambda: all(each.started for each in notes), "both children")

        parent.kill()

    for each in notes:
        until(lambda each=each: each.stopped == each.started, "its end")  # type: ignore[misc]  # a lambda's default


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
