"""A real `companion up`, with a data folder and a port of its own, and what a person or a program does with it."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.support.services import DEADLINE, a_free_port, eventually


@dataclass(slots=True)
class Up:
    """A `companion up`. `folder` keeps what it printed."""

    process: "subprocess.Popen[bytes]"
    environment: dict[str, str]
    port: int
    folder: Path

    @property
    def said(self) -> str:
        """Return the words printed for people so far."""
        return (self.folder / "stdout").read_text()

    @property
    def link(self) -> str:
        """The sign-in link that it printed, without the address before it."""
        found = re.search(r"http://[^/]+(/sign-in/\S+)", self.said)
        assert found, self.said
        return found[1]

    def get(self, path: str, key: str = "") -> tuple[int, bytes]:
        """GET of a page or of the API."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            response = connection.getresponse()
            return response.status, response.read()

    def health(self) -> dict[str, object]:
        """Return the answer of GET /health; nothing while nobody answers."""
        try:
            _, body = self.get("/api/scheduler/health")
        except (OSError, HTTPException):
            return {}
        found: dict[str, object] = json.loads(body)
        return found

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Another `companion` command with the same settings."""
        return a_command(*words, environment=self.environment, folder=self.folder)

    def key(self, name: str) -> str:
        """A new API key of an admin."""
        return self.command("key", "add", name, "--role", "admin").stdout.strip()

    def children(self) -> dict[str, int]:
        """The services' processes, by their names."""
        ps = ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)]
        lines = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.splitlines()
        # Each line ends in the service's name and an option.
        return {line.split()[-2]: int(line.split()[0]) for line in lines}

    def end(self) -> None:
        """Kill its processes that are left."""
        for pid in [*self.children().values(), self.process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(DEADLINE)


def own_environment(folder: Path, **settings: str) -> dict[str, str]:
    """The machine's environment with these settings of the product and no others."""
    machine = {name: value for name, value in os.environ.items() if not name.startswith(("COMPANION_", "DJANGO_"))}
    given = {f"COMPANION_{name.upper()}": value for name, value in settings.items()}
    return {**machine, "COMPANION_DATA_DIR": str(folder / "data"), **given}


def a_command(*words: str, environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a `companion` command to its end, in that folder."""
    command = [sys.executable, "-m", "companion.cli.main", *words]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


@contextmanager
def up(folder: Path, *words: str) -> Iterator[Up]:
    """`companion up` with these words, from the moment at which it says where it is."""
    port = a_free_port()
    environment = own_environment(folder, port=str(port))
    command = [sys.executable, "-m", "companion.cli.main", "up", *words]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=out, stderr=err)
    running = Up(process, {**environment, "COMPANION_SANDBOX": "1"}, port, folder)
    try:
        eventually(lambda: "Ctrl+C" in running.said or process.poll() is not None, "companion up")
        assert process.poll() is None, (folder / "stderr").read_text()
        yield running
    finally:
        running.end()


def alive(pid: int) -> bool:
    """Return whether there is such a process that still does something."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
