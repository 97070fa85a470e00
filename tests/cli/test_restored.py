"""`companion restored` and `companion resume`, as an operator types them after a restore by other means."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from companion.cli.restoring import restored
from companion.clinics.models import Clinic
from companion.schedules.models import Message, Status
from tests.builders import NOW, a_clinic, a_message, a_patient
from tests.cli.running import a_command

LONG_AGO = NOW.replace(year=2025)


def test_a_restore_by_other_means_is_held_and_goes_on_by_a_command(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    clinic = a_clinic()
    message = a_message(a_patient(clinic), due_at=LONG_AGO)

    held = a_command(
        "restored", "--taken", "2025-11-01T08:00:00+01:00", environment=product_environment, folder=tmp_path
    )
    resumed = a_command("resume", environment=product_environment, folder=tmp_path)
    again = a_command("resume", environment=product_environment, folder=tmp_path)

    message.refresh_from_db()
    clinic.refresh_from_db()
    assert "1 message is held, since it may have been sent before the restore" in held.stdout
    assert (message.status, message.held_by_restore) == (Status.FAILED, True)
    assert resumed.stdout == "Sending is resumed.\n"
    assert clinic.sending_paused_at is None
    assert (again.returncode, again.stderr) == (1, "Error: Sending isn't paused.\n")


@pytest.mark.parametrize("taken", ["2025-11-01T08:00:00", "yesterday", "2099-01-01T00:00:00Z"])
@pytest.mark.django_db
def test_an_instant_that_cannot_be_right_changes_nothing(taken: str) -> None:
    a_message(a_patient(a_clinic()), due_at=LONG_AGO)

    done = CliRunner().invoke(restored, ["--taken", taken])

    assert isinstance(done.exception, SystemExit)
    assert done.exit_code != 0
    assert Message.objects.get().status == Status.PENDING
    assert Clinic.objects.get().sending_paused_at is None
