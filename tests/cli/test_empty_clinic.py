"""Commands for all clinics, or for a named clinic, with the empty name that a script with an unset variable gives."""

import pytest
from click.testing import CliRunner, Result

from companion.cli.audit import audit
from companion.cli.maintenance import maintenance
from companion.cli.restoring import resume
from companion.clinics.models import Clinic, Role
from companion.panel import actions
from companion.panel.models import Maintenance
from tests.builders import NOW, a_caller, a_clinic

pytestmark = pytest.mark.django_db


def _refused(done: Result) -> bool:
    return done.exit_code != 0 and "There is no clinic of this slug. There are: birch, linden." in done.stderr


def test_an_empty_name_is_not_taken_for_all_clinics() -> None:
    for slug in ("linden", "birch"):
        actions.pause(a_caller(a_clinic(slug=slug), Role.ADMIN), now=NOW)

    resumed = CliRunner().invoke(resume, ["--clinic", ""])
    opened = CliRunner().invoke(maintenance, ["begin", "--hours", "1", "--clinic", ""])
    verified = CliRunner().invoke(audit, ["verify", "--clinic", ""])

    assert [_refused(done) for done in (resumed, opened, verified)] == [True] * 3
    assert not Clinic.objects.filter(sending_paused_at=None).exists()
    assert not Maintenance.objects.exists()
