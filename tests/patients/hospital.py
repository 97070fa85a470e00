"""A patient database that is not ours, really (PostgreSQL or SQLite), and one sync with a clinic's source."""

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo

from companion.clinics.models import Clinic
from companion.patients.sources import sync
from companion.patients.sources.models import SyncRun
from tests.builders import NOW

MAPPING = """
table = "people"
changed_at = "updated"
left = "discharged"
[columns]
external_id = "mrn"
name = "full_name"
telegram_id = "telegram"
birth_date = "born"
cohorts = "wards"
"""
COLUMNS = "mrn TEXT PRIMARY KEY, full_name TEXT, telegram BIGINT, born DATE, wards TEXT, discharged DATE, updated {}"


@dataclass(frozen=True)
class Hospital:
    """A patient database that is not ours."""

    url: str
    do: Callable[[str], object]

    def admits(self, mrn: str, name: str, *, telegram: int | None = None, day: int = 1) -> None:
        number = "NULL" if telegram is None else telegram
        values = f"'{mrn}', '{name}', {number}, '1980-12-24', 'Heart|Tuesday', NULL, '2026-11-{day:02} 08:00:00'"
        self.do(f"INSERT INTO people VALUES ({values})")

    def changes(self, mrn: str, what: str, day: int = 20) -> None:
        self.do(f"UPDATE people SET {what}, updated = '2026-11-{day:02} 08:00:00' WHERE mrn = '{mrn}'")


@contextmanager
def a_hospital(folder: Path) -> Iterator[Hospital]:
    """Make the hospital's database: on PostgreSQL a second database beside ours, on SQLite a file."""
    if connection.vendor == "postgresql":
        yield from _on_postgresql()
        return
    file = folder / "hospital.sqlite3"
    with sqlite3.connect(file, isolation_level=None) as database:
        database.execute(f"CREATE TABLE people ({COLUMNS.format('TEXT')})")
        yield Hospital(f"sqlite:///{file}", database.execute)


def _on_postgresql() -> Iterator[Hospital]:
    ours = connection.get_connection_params()
    where = {name: str(ours[name]) for name in ("host", "port", "user", "password") if ours.get(name)}
    name = f"hospital_of_{ours['dbname']}"
    with psycopg.connect(make_conninfo(**where, dbname="postgres"), autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        server.execute(f'CREATE DATABASE "{name}"'.encode())
        with psycopg.connect(make_conninfo(**where, dbname=name), autocommit=True) as database:
            database.execute(f"CREATE TABLE people ({COLUMNS.format('TIMESTAMP')})".encode())
            query = "&".join(f"{key}={value}" for key, value in where.items())
            yield Hospital(f"postgresql+psycopg:///{name}?{query}", lambda sql: database.execute(sql.encode()))
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def numbers(run: SyncRun) -> tuple[int, int, int, int, int]:
    """The result of a sync: added, changed, unchanged, left, refused."""
    return run.added, run.changed, run.unchanged, run.left, run.refused


def synced(clinic: Clinic, at: dt.datetime = NOW, *, whole: bool = False) -> SyncRun:
    """Sync the clinic's source at this instant."""
    return sync.sync(clinic, clock=lambda: at, whole=whole)
