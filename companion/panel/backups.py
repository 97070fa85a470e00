"""How old the newest backup is, where somebody said where backups lie. It makes none, and opens none."""

import datetime as dt
from pathlib import Path
from typing import Final

from companion.panel.check import CheckResult, Group, ok, warning
from companion.panel.judge import age

TOO_OLD: Final = dt.timedelta(days=2)
_ADVICE: Final = "Look at the job that makes backups, and at its disk (docs/operations.md, Backups)."


def newest(folder: Path) -> dt.datetime | None:
    """When the newest one was written; None where there is none. Raises OSError where the folder can't be read.

    An empty file is none: a backup that failed leaves one.
    """
    looks = [path.stat() for path in folder.iterdir() if not path.name.startswith(".")]
    return max((dt.datetime.fromtimestamp(one.st_mtime, dt.UTC) for one in looks if one.st_size), default=None)


def age_seconds(folder: Path | None, *, now: dt.datetime) -> float | None:
    """The newest one's age; None where none is known."""
    try:
        at = newest(folder) if folder else None
    except OSError:
        return None
    return max((now - at).total_seconds(), 0.0) if at else None


def check(folder: Path | None, *, now: dt.datetime) -> CheckResult:
    """Whether there is one of yesterday, where it is known where they are."""
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
