"""`python -m tools.advisories`: compare the locks with requirements/advisories.toml. Asks no server."""

import datetime as dt
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.version import Version

ROOT: Final = Path(__file__).resolve().parent.parent
ADVISORIES: Final = ROOT / "requirements" / "advisories.toml"
_LOOKED_UP_EVERY: Final = dt.timedelta(days=30)
_PIN: Final = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def locked() -> Iterator[tuple[str, str]]:
    """All locked packages with their versions; a package may be locked in several files."""
    for file in sorted((ROOT / "requirements").glob("*.txt")):
        yield from _PIN.findall(file.read_text())
    for path, package in json.loads((ROOT / "package-lock.json").read_text())["packages"].items():
        if path:
            yield path.rpartition("node_modules/")[2], package["version"]


def hits() -> list[str]:
    """The locked versions that an advisory names, in words."""
    known = tomllib.loads(ADVISORIES.read_text())["advisory"]
    return sorted(
        {
            f"{name} {version}: {advisory['id']}, {advisory['what']}. "
            f"Raise it to {advisory['before']} or newer with `make lock`."
            for name, version in locked()
            for advisory in known
            if advisory["package"] == name and Version(version) < Version(advisory["before"])
        }
    )


def overdue(today: dt.date) -> list[str]:
    """Say that the advisories must be looked up again, if the last time is long ago."""
    checked: dt.date = tomllib.loads(ADVISORIES.read_text())["checked"]
    return [f"The advisories were looked up on {checked}. Refresh them."] if today - checked > _LOOKED_UP_EVERY else []


if __name__ == "__main__":
    sys.exit("\n".join([*hits(), *overdue(dt.datetime.now(dt.UTC).date())]) or 0)
