"""The age of the newest backup, if the settings name the folder of backups. This module opens no backup."""

import datetime as dt
from pathlib import Path
from typing import Final

from companion.panel.check import CheckResult, Group, ok, warning
from companion.panel.judge import age

TOO_OLD: Final = dt.timedelta(days=2)
_ADVICE: Final = "Check the job that makes backups, and its disk (docs/operations.md, Backups)."


def newest(folder: Path) -> dt.datetime | None:
    """The instant at which the newest backup was written; None if there is none.

    An empty file does not count, since a failed backup leaves one. Raises OSError if the folder can't be read.
    """
    files = [path.stat() for path in folder.iterdir() if not path.name.startswith(".")]
    return max((dt.datetime.fromtimestamp(file.st_mtime, dt.UTC) for file in files if file.st_size), default=None)


def age_seconds(folder: Path | None, *, now: dt.datetime) -> float | None:
    """The age of the newest backup; None if unknown."""
    try:
        at = newest(folder) if folder else None
    except OSError:
        return None
    return max((now - at).total_seconds(), 0.0) if at else None


def check(folder: Path | None, *, now: dt.datetime) -> CheckResult:
    """Check that a backup of the last day exists, if the folder of backups is known."""
    name = "Backups"
    if folder is None:
        return ok(Group.MACHINE, name, "not known where they are: COMPANION_BACKUP_DIR is not set")
    try:
        at = newest(folder)
    except OSError as error:
        return warning(Group.MACHINE, name, f"the folder can't be read ({error.strerror})", _ADVICE)
    if at is None:
        return warning(Group.MACHINE, name, "there is none", _ADVICE)
    value = f"the newest is {age(now - at)} old"
    return warning(Group.MACHINE, name, value, _ADVICE) if now - at > TOO_OLD else ok(Group.MACHINE, name, value)
