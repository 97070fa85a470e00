"""Restore a backup into an empty database: load it, migrate it to this version, and hold all sending (holding.py)."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from companion.restoring import backup, holding, tables
from companion.restoring.models import Restoration
from companion.restoring.sealing import Key
from companion.service.clock import database_now


def restore(file: Path, key: Key, *, drill: bool = False, journals: Sequence[Path] = ()) -> Restoration:
    """Restore the backup. Raises Conflict and Refused; then nothing has changed, or every clinic stays paused."""
    with backup.opened(file, key) as (manifest, archive, folder):
        now = database_now()
        tables.read(archive, folder, manifest.migrations, tables.Pause(_as_stored(now), holding.PAUSED_BY))
    call_command("migrate", verbosity=0, interactive=False)
    return holding.hold(taken_at=manifest.taken_at, now=now, drill=drill, journals=journals)


def _as_stored(now: dt.datetime) -> str:
    """Return the instant in the form in which the database stores it."""
    if connection.vendor == "postgresql":
        return now.isoformat()
    return now.astimezone(dt.UTC).replace(tzinfo=None).isoformat(" ")
