"""The ways in which bench/troubles.py breaks a running installation, and how each ends."""

import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg

from bench.grounds import POSTGRESQL, SQLITE, Database, Grounds
from bench.server import Telegram
from bench.service import Service

USER: Final = "bench_clinic"
"""The services' user in PostgreSQL. It is no superuser, so limits hold for it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts that a fault may break."""

    grounds: Grounds
    database: Database
    telegram: Telegram
    dispatchers: list[Service]
    start: Callable[[], None]
    """Start one more dispatcher."""


Break = Callable[[Stage], AbstractContextManager[None]]
"""Break something. The end of its block repairs it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that the fault checker causes."""

    name: str
    kinds: tuple[str, ...]
    happens: Break
    alone: bool = True
    """True if the services run without a supervisor that starts a process again."""


@contextmanager
def _killed(stage: Stage, count: int) -> Iterator[None]:
    gone, stage.dispatchers[:] = stage.dispatchers[:count], stage.dispatchers[count:]
    for service in gone:
        service.signal(signal.SIGKILL)
    yield
    for _ in gone:
        stage.start()


@contextmanager
def _frozen(stage: Stage) -> Iterator[None]:
    stage.dispatchers[0].signal(signal.SIGSTOP)
    yield
    stage.dispatchers[0].signal(signal.SIGCONT)


def _silent(how: str) -> Break:
    @contextmanager
    def happens(stage: Stage) -> Iterator[None]:
        stage.telegram.be_silent(how)
        yield
        stage.telegram.be_silent("no")

    return happens


@contextmanager
def _restarted(stage: Stage) -> Iterator[None]:
    stage.grounds.restart_postgresql()
    yield


@contextmanager
def _stopped(stage: Stage) -> Iterator[None]:
    stage.grounds.crash_postgresql()
    yield
    stage.grounds.start_postgresql()


def _changed(change: str, undo: str) -> Break:
    """Change the services' user, and end their connections, so that the change holds for new connections."""

    @contextmanager
    def happens(stage: Stage) -> Iterator[None]:
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'"
        with psycopg.connect(stage.database.url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {USER} {change}".encode())
            connection.execute(end.encode())
            yield
            connection.execute(f"ALTER ROLE {USER} {undo}".encode())
            connection.execute(end.encode())

    return happens


@contextmanager
def _locked_table(stage: Stage) -> Iterator[None]:
    with psycopg.connect(stage.database.url) as connection:
        connection.execute("LOCK TABLE schedules_message IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def _locked_file(stage: Stage) -> Iterator[None]:
    import pysqlite3

    file = pysqlite3.connect(str(stage.database.folder / "companion.sqlite3"), isolation_level=None, timeout=20)
    file.execute("BEGIN IMMEDIATE")
    yield
    file.execute("ROLLBACK")
    file.close()


@contextmanager
def _failing_writes(stage: Stage) -> Iterator[None]:
    """Limit the files of the dispatcher to 4 KB, so that SQLite's writes fail."""
    process = stage.dispatchers[0].pid
    resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


_BOTH: Final = (SQLITE, POSTGRESQL)
FAULTS: Final = (
    Fault("a dispatcher is killed", _BOTH, lambda stage: _killed(stage, 1), alone=False),
    Fault("three of three are killed", (POSTGRESQL,), lambda stage: _killed(stage, 3), alone=False),
    Fault("a dispatcher is frozen", _BOTH, _frozen),
    Fault("Telegram hangs", _BOTH, _silent("hang")),
    Fault("Telegram closes each line", _BOTH, _silent("close")),
    Fault("Telegram answers 502", _BOTH, _silent("error")),
    Fault("Telegram refuses the token", _BOTH, _silent("unauthorized")),
    Fault("the database restarts", (POSTGRESQL,), _restarted),
    Fault("the database is stopped", (POSTGRESQL,), _stopped),
    Fault(
        "the database is read-only",
        (POSTGRESQL,),
        _changed("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
    ),
    Fault("no more connections", (POSTGRESQL,), _changed("CONNECTION LIMIT 0", "CONNECTION LIMIT -1")),
    Fault("the login is refused", (POSTGRESQL,), _changed("NOLOGIN", "LOGIN")),
    Fault("the messages are locked", (POSTGRESQL,), _locked_table),
    Fault("the file is locked", (SQLITE,), _locked_file),
    Fault("writes to the file fail", (SQLITE,), _failing_writes),
)
