"""The thread that sends alerts: an error with one clinic doesn't hold back the alerts of others."""

import pytest

from companion.panel import monitor
from companion.panel.models import Alert
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from tests.builders import a_clinic, a_message, a_patient

pytestmark = pytest.mark.django_db


def test_a_clinic_whose_rows_cannot_be_understood_keeps_no_other_clinic_s_alerts_back() -> None:
    strange, other = a_clinic(), a_clinic()
    for _ in range(2):
        a_message(a_patient(strange), status=Status.FAILED, reason=Reason.TOO_LATE, ended_at=database_now())
    # As a newer version may have written it, before somebody went back to this version.
    Message.objects.update(reason="of_tomorrow")

    monitor.check_once()

    assert set(Alert.objects.values_list("clinic", flat=True)) == {other.id}
