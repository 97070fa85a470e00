"""Shared helpers of the fault tests."""

import pytest

from companion.clinics.models import Clinic
from tests.builders import a_bot, a_clinic
from tests.faults.drains import SEED, TOLLS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not TOLLS:
        return
    terminalreporter.write_line(f"{'sent':>6} {'unknown':>7} {'failed':>6} {'arrived':>7} {'twice':>5}  seed {SEED}")
    for name, toll in TOLLS.items():
        # The checker has failed the test where anything arrived twice.
        line = f"{toll.sent:6} {toll.unknown:7} {toll.failed:6} {toll.arrived:7} {0:5}"
        terminalreporter.write_line(f"{line}  {name.removeprefix('test_').replace('_', ' ')}")


@pytest.fixture
def clinic() -> Clinic:
    clinic = a_clinic()
    a_bot(clinic)
    return clinic
