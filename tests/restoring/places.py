"""Places for databases of their own beside the test's: where a backup is restored to, and commands on them."""

import sqlite3
import subprocess
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pyrage

from tests.cli.running import a_command
from tests.support import session

PASSPHRASE = "correct horse battery staple"
_IDENTITY: Final = pyrage.x25519.Identity.generate()


@dataclass(frozen=True)
class Place:
    """A database with a data folder: the settings that name them, and the folder that commands run in."""

    environment: dict[str, str]
    folder: Path

    def tried(self, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """A command on it, which may fail; `settings` are without their prefix, in small letters."""
        given = {f"COMPANION_{name.upper()}": value for name, value in settings.items()}
        return a_command(*words, environment=self.environment | given, folder=self.folder)

    def run(self, *words: str, **settings: str) -> str:
        """A command on it, which must succeed; what it printed."""
        done = self.tried(*words, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def backup(self, file: Path) -> str:
        """Make a backup for an age key, and return what was printed. A passphrase costs seconds, on purpose."""
        return self.run("backup", str(file), "--recipient", str(_IDENTITY.to_public()))

    def restore(self, file: Path, *words: str) -> str:
        """Restore what backup() made, and return what was printed."""
        key = Path(self.environment["COMPANION_DATA_DIR"]) / "age_key.txt"
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_text(str(_IDENTITY))
        return self.run("restore", str(file), "--identity", str(key), *words)

    def value(self, query: str) -> object:
        """The one value that a query on its database gives."""
        if session.on_postgresql():
            with psycopg.connect(self.environment["COMPANION_DATABASE_URL"]) as connection:
                [[found]] = connection.execute(query).fetchall()
                return found
        path = Path(self.environment["COMPANION_DATA_DIR"]) / "companion.sqlite3"
        with closing(sqlite3.connect(path)) as file:
            [[found]] = file.execute(query).fetchall()
            return found

    def tables(self) -> object:
        """Return how many tables its database has."""
        if session.on_postgresql():
            return self.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        return self.value("SELECT count(*) FROM sqlite_master WHERE type = 'table'")


def the_tests_own(environment: dict[str, str], folder: Path) -> Place:
    """The test's database, which the test itself reads and writes."""
    return Place(environment | {"COMPANION_BACKUP_PASSPHRASE": PASSPHRASE}, folder)


def an_empty_one(environment: dict[str, str], folder: Path) -> Place:
    """A new database without tables, with the test's secret key."""
    own = environment | {
        "COMPANION_BACKUP_PASSPHRASE": PASSPHRASE,
        "COMPANION_DATA_DIR": str(folder / uuid.uuid4().hex),
    }
    if session.on_postgresql():
        url = environment["COMPANION_DATABASE_URL"]
        name = f"restored_{uuid.uuid4().hex}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        path, _, query = url.partition("?")
        own["COMPANION_DATABASE_URL"] = f"{path.rpartition('/')[0]}/{name}?{query}"
    return Place(own, folder)
