"""The locks against the advisories that the repository keeps."""

import datetime as dt
import tomllib

from tools.advisories import ADVISORIES, ROOT, hits, locked, overdue


def test_no_locked_package_has_a_known_advisory() -> None:
    assert hits() == []


def test_each_advisory_is_about_a_package_that_is_locked() -> None:
    kept = tomllib.loads(ADVISORIES.read_text())

    assert {advisory["package"] for advisory in kept["advisory"]} <= {name for name, _ in locked()}
    assert isinstance(kept["checked"], dt.date)


def test_packages_of_both_kinds_are_read_from_the_locks() -> None:
    names = {name for name, _ in locked()}

    assert {"django", "cryptography", "@tabler/core"} <= names


def test_each_package_that_runs_has_an_advisory_or_was_looked_up_in_vain() -> None:
    kept = tomllib.loads(ADVISORIES.read_text())
    run = {
        line.partition("==")[0] for line in (ROOT / "requirements" / "run.txt").read_text().splitlines() if "==" in line
    }

    known = {advisory["package"] for advisory in kept["advisory"]}
    assert run - known == set(kept["none_found"])
    assert all(advisory["source"] for advisory in kept["advisory"])


def test_advisories_are_looked_up_every_thirty_days() -> None:
    checked = tomllib.loads(ADVISORIES.read_text())["checked"]

    assert overdue(checked + dt.timedelta(days=30)) == []
    assert overdue(checked + dt.timedelta(days=31)) == [f"The advisories were looked up on {checked}. Refresh them."]
