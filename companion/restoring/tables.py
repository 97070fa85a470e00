"""Write a database's whole content into an archive while others work on it, and read it into an empty database.

SQLite's file is copied whole. PostgreSQL's tables are copied by COPY in one transaction, which sees them all as they
are at one moment. So no pg_dump of the server's version is needed.
"""

import json
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple
from zipfile import ZipFile

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import sql

from companion.clinics import append_only
from companion.clinics.refusals import Conflict

_SQLITE: Final = "companion.sqlite3"
_COLUMNS: Final = "columns.json"
_MIGRATIONS: Final = "django_migrations"


def write(archive: ZipFile, folder: Path) -> None:
    """Write all tables, as they are at one moment. `folder` is a temporary folder for SQLite's copy."""
    if connection.vendor == "postgresql":
        _write_tables(archive)
        return
    copy = folder / _SQLITE
    connection.ensure_connection()
    target = sqlite3.connect(copy)
    try:
        connection.connection.backup(target)
        ((integrity,),) = target.execute("PRAGMA integrity_check").fetchall()
    finally:
        target.close()
    if integrity != "ok":
        raise Conflict(
            "The database is damaged (PRAGMA integrity_check), so this backup was not kept. Keep the older backups."
        )
    archive.write(copy, _SQLITE)


class Pause(NamedTuple):
    """A pause of all sending: its beginning as the database stores it, and who paused."""

    at: str
    by: str


def read(archive: ZipFile, folder: Path, migrations: list[tuple[str, str]], pause: Pause) -> None:
    """Fill an empty database, in which every clinic is paused from the first moment on.

    Raises Conflict if the database isn't empty, if the archive holds no tables, or if this version doesn't know them.
    """
    if (_COLUMNS if connection.vendor == "postgresql" else _SQLITE) not in archive.namelist():
        raise Conflict("The backup holds no tables, so there is nothing to restore. Take another backup.")
    if connection.introspection.table_names():
        raise Conflict(
            "The database isn't empty. Restore into a new database: name it in COMPANION_DATABASE_URL, or for "
            "SQLite an empty COMPANION_DATA_DIR."
        )
    executor = MigrationExecutor(connection)
    if unknown := [name for name in migrations if name not in executor.loader.graph.nodes]:
        raise Conflict(
            f"The backup is of a newer version, which has {unknown[0][0]} {unknown[0][1]}. Install that version."
        )
    if connection.vendor == "postgresql":
        executor.migrate(migrations)
        _read_tables(archive, pause)
    else:
        _read_sqlite(archive, folder, pause)


def _write_tables(archive: ZipFile) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(
            "SELECT table_name, json_agg(column_name ORDER BY ordinal_position)::text "
            "FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) "
            "WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> %s "
            "GROUP BY table_name ORDER BY table_name",
            [_MIGRATIONS],
        )
        tables: dict[str, list[str]] = {name: json.loads(columns) for name, columns in cursor.fetchall()}
        archive.writestr(_COLUMNS, json.dumps(tables))
        for table, columns in tables.items():
            with (
                archive.open(table, "w", force_zip64=True) as entry,
                cursor.copy(_copy(table, columns, "TO STDOUT")) as rows,
            ):
                for data in rows:
                    entry.write(data)


def _read_tables(archive: ZipFile, pause: Pause) -> None:
    tables: dict[str, list[str]] = json.loads(archive.read(_COLUMNS))
    with transaction.atomic(), connection.cursor() as cursor:
        # Migrations may have made rows that are also in the backup, but no entries of the audit trail, which nobody has
        # the right to empty.
        emptied = [name for name in tables if name != append_only.TABLE]
        cursor.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, emptied))))
        for table, columns in tables.items():
            with archive.open(table) as entry, cursor.copy(_copy(table, columns, "FROM STDIN")) as rows:
                while data := entry.read(1 << 16):
                    rows.write(data)
        cursor.execute("UPDATE clinics_clinic SET sending_paused_at = %s, sending_paused_by = %s", pause)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models(include_auto_created=True)):
            cursor.execute(statement)


def _read_sqlite(archive: ZipFile, folder: Path, pause: Pause) -> None:
    archive.extract(_SQLITE, folder)
    source = sqlite3.connect(folder / _SQLITE)
    try:
        source.execute("UPDATE clinics_clinic SET sending_paused_at = ?, sending_paused_by = ?", pause)
        source.commit()
        connection.ensure_connection()
        source.backup(connection.connection)
    finally:
        source.close()
    # Open the file again at the next query: this connection still remembers the empty file.
    connection.close()


def _copy(table: str, columns: list[str], way: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) {}").format(sql.Identifier(table), names, sql.SQL(way))
