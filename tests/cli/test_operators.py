"""`companion operator remove` (tests/cli/test_clinics.py has what operators see, and how they become operators)."""

import pytest
from click.testing import CliRunner

from companion.cli.clinics import operator
from companion.clinics.models import AuditEntry
from tests.builders import a_clinic, a_member

pytestmark = pytest.mark.django_db


def test_a_person_who_is_no_operator_is_not_said_to_be_removed_and_no_entry_claims_it() -> None:
    """A mistyped address would otherwise leave the operator in place unnoticed."""
    a_member(a_clinic(), email="ben@birch.example")

    done = CliRunner().invoke(operator, ["remove", "ben@birch.example"])

    assert done.exit_code == 1
    assert "No operator has this address." in done.stderr
    assert not AuditEntry.objects.filter(action="operator removed").exists()
