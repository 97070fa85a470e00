"""A restore at a random moment of a run, proven from the stand-in's ledger: nobody gets anything twice.

With real processes, kill -9 included. With the Journal no STOP is forgotten either, and little is held.
"""

import time
from pathlib import Path

import pytest

from tests.builders import a_bot, a_clinic
from tests.restoring.places import an_empty_one, the_tests_own
from tests.restoring.runs import Run
from tests.support.stand_in import stand_in

SIZE = 100


@pytest.mark.parametrize(
    "journal", ["whole", *(pytest.param(state, marks=pytest.mark.one_database) for state in ("missing", "torn"))]
)
def test_a_restore_at_a_random_moment_sends_nothing_twice(
    journal: str, product_environment: dict[str, str], tmp_path: Path
) -> None:
    clinic = a_clinic()
    a_bot(clinic)
    folder = tmp_path / "journal"
    environment = product_environment | {"COMPANION_JOURNAL_DIR": str(folder)}
    with stand_in() as telegram:
        run = Run(clinic, telegram, the_tests_own(environment, tmp_path), tmp_path / "backup.age")
        telegram.forgets = journal != "missing"
        run.plan(SIZE)
        run.until_disaster()
        disaster, unknown = time.time(), run.unknown_to_the_backup()
        if journal == "torn":
            for file in folder.glob("*.journal"):
                file.write_bytes(file.read_bytes()[:-3])

        place = an_empty_one(product_environment, tmp_path)
        run.after(place, tmp_path / "nowhere" if journal == "missing" else folder)

    run.check()
    assert unknown > 0
    assert run.stops
    assert run.edited > 0
    held = place.value("SELECT count(*) FROM schedules_message WHERE held_by_restore")
    assert isinstance(held, int)
    if journal != "torn":
        # From the Journal, or from Telegram, which still keeps the updates.
        run.check_stops(disaster)
    if journal == "whole":
        # Only what was on the wire when everything was killed.
        assert held <= 10
        assert len({arrival.text for arrival in telegram.arrivals}) > SIZE
    else:
        assert held >= unknown
