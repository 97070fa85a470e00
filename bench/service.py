"""Real `companion` services for a bench, with their processor time and memory."""

import os
import signal
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
    "import contextlib; from companion.cli.ready import ready; ready(); "
    "from companion.cli import services; services._journal = lambda _: contextlib.nullcontext(); "
    "from companion.cli.main import main; main()"
)
"""Run the service like the command, but without the Journal, which has no switch, to see the cost of the Journal."""
_WITHOUT_TRAIL = (
    "import contextlib; from companion.cli.ready import ready; ready(); "
    "from companion.clinics import audit, chain_loop; chain_loop.chaining = contextlib.nullcontext; "
    "audit.record = audit.record_many = lambda *_, **__: None; "
    "from companion.cli.main import main; main()"
)
"""Run the command without entries in the audit trail and without the thread that chains them."""
_ALIVE = "SELECT count(*) FROM service_heartbeat WHERE kind = '{}'"


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `start_seconds` is the time from its start to its first heartbeat."""

    pid: int
    start_seconds: float

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def cpu_seconds(self) -> float:
        """The processor time that the service has used so far (proc(5), stat fields 14 and 15)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        """The memory of the service now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise LookupError("the process is gone")


@contextmanager
def dispatcher(
    database: Database, api_url: str, *, journal: bool = True, trail: bool = True, **settings: object
) -> Iterator[Service]:
    """Start a dispatcher, wait for its heartbeat, and end it. Raises RuntimeError with its last output.

    `journal` and `trail` False: without the Journal, or without the audit trail.
    """
    how = ["-m", "companion.cli.main", "dispatcher"]
    if not trail:
        how = ["-c", _WITHOUT_TRAIL, "dispatcher"]
    elif not journal:
        how = ["-c", _WITHOUT_JOURNAL, "dispatcher"]
    with _started("dispatcher", how, database, database.environment(telegram_api_url=api_url, **settings)) as found:
        yield found


@contextmanager
def running(kind: str, database: Database, api_url: str, **settings: object) -> Iterator[Service]:
    """Start a service of this kind, wait for its heartbeat, and end it. Raises RuntimeError as `dispatcher` does."""
    how = ["-m", "companion.cli.main", kind]
    with _started(kind, how, database, database.environment(telegram_api_url=api_url, **settings)) as found:
        yield found


@contextmanager
def _started(kind: str, how: list[str], database: Database, environment: dict[str, str]) -> Iterator[Service]:
    beats = _beats(kind, database)
    words = database.folder / f"{kind}-{time.monotonic_ns()}.log"
    started = time.monotonic()
    with words.open("w") as log:
        process = subprocess.Popen([sys.executable, *how], env=environment, cwd=database.folder, stdout=log, stderr=log)
    try:
        while _beats(kind, database) == beats:
            if process.poll() is not None or time.monotonic() - started > _START_SECONDS:
                raise RuntimeError(f"the {kind} did not start: {words.read_text()[-2000:]}")
            time.sleep(0.02)
        yield Service(process.pid, time.monotonic() - started)
    finally:
        process.terminate()
        if process.wait(60) not in (0, -signal.SIGKILL):
            print(f"  a {kind} ended badly: {words.read_text()[-2000:]}")


def _beats(kind: str, database: Database) -> int:
    return int(str(database.ask(_ALIVE.format(kind))[0][0]))
