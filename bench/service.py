"""A real `companion dispatcher` process for a bench, and what the system says of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.grounds import Database

_START_SECONDS = 60.0
_WITHOUT_JOURNAL = (
    "from companion.cli.ready import ready; ready(); from companion.dispatch import service; service.run(0)"
)
"""As the command does, but for the Journal, which has no switch: so its cost can be seen."""
_ALIVE = "SELECT count(*) FROM service_heartbeat WHERE kind = 'dispatcher'"


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """A running one; `start_seconds` from its start to its first heartbeat."""

    pid: int
    start_seconds: float

    def cpu_seconds(self) -> float:
        """The processor time that it has used so far (proc(5), stat fields 14 and 15)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        """The memory that it holds now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise LookupError("the process is gone")


@contextmanager
def dispatcher(database: Database, api_url: str, *, journal: bool = True, **settings: object) -> Iterator[Dispatcher]:
    """Starts one, waits for its heartbeat, and ends it. Raises RuntimeError with its last words where it fails."""
    environment = database.environment(telegram_api_url=api_url, **settings)
    how = ["-m", "companion.cli.main", "dispatcher"] if journal else ["-c", _WITHOUT_JOURNAL]
    command = [sys.executable, *how]
    beats = _beats(database)
    words = database.folder / f"dispatcher-{beats}.log"
    started = time.monotonic()
    with words.open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=database.folder, stdout=log, stderr=log)
    try:
        while _beats(database) == beats:
            if process.poll() is not None or time.monotonic() - started > _START_SECONDS:
                raise RuntimeError(f"the dispatcher did not start: {words.read_text()[-2000:]}")
            time.sleep(0.02)
        yield Dispatcher(process.pid, time.monotonic() - started)
    finally:
        process.terminate()
        if process.wait(60):
            print(f"  a dispatcher ended badly: {words.read_text()[-2000:]}")


def _beats(database: Database) -> int:
    return int(str(database.ask(_ALIVE)[0][0]))
