"""The locks against the advisories that the repository keeps."""

import datetime as dt
import tomllib

from tools.advisories import ADVISORIES, hits, locked


def test_no_locked_package_has_a_known_advisory() -> None:
    assert hits() == []


def test_each_advisory_is_about_a_package_that_is_locked() -> None:
    kept = tomllib.loads(ADVISORIES.read_text())

    assert {one["package"] for one in kept["advisory"]} <= {name for name, _ in locked()}
    assert isinstance(kept["checked"], dt.date)


def test_packages_of_both_kinds_are_read_from_the_locks() -> None:
    names = {name for name, _ in locked()}

    assert {"django", "cryptography", "@tabler/core"} <= names
