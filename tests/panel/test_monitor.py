"""The thread that tells of what is wrong: nothing that trips it in one clinic keeps the others' alerts back."""

import json

import pytest

from companion.clinics.models import Role
from companion.panel import contacts, monitor, notices
from companion.panel.models import Alert, AlertWebhook, Notice
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import database_now
from tests.builders import NOW, a_caller, a_clinic, a_message, a_patient
from tests.support.receivers import Hook, a_program

pytestmark = pytest.mark.django_db


def test_a_clinic_whose_rows_cannot_be_understood_keeps_no_other_clinic_s_alerts_back() -> None:
    strange, other = a_clinic(), a_clinic()
    for _ in range(2):
        a_message(a_patient(strange), status=Status.FAILED, reason=Reason.TOO_LATE, ended_at=database_now())
    # As a newer version may have written it, before somebody went back to this one.
    Message.objects.update(reason="of_tomorrow")

    monitor.check_once()

    assert set(Alert.objects.values_list("clinic", flat=True)) == {other.id}


def test_a_webhook_that_cannot_be_opened_keeps_no_other_notice_back() -> None:
    with a_program() as hook:
        _clinic_to_be_told(hook, broken=True)
        told = _clinic_to_be_told(hook)

        notices.deliver(now=NOW)

    ((_, body),) = hook.posts
    assert json.loads(body)["clinic"] == told
    assert "COMPANION_SECRET_KEY" in Notice.objects.get(sent_at=None).error


def _clinic_to_be_told(hook: Hook, *, broken: bool = False) -> str:
    clinic = a_clinic()
    contacts.set_webhook(a_caller(clinic, Role.ADMIN), hook.url, now=NOW)
    if broken:
        AlertWebhook.objects.filter(clinic=clinic).update(url=b"\x01" * 40)
    alert = Alert.objects.create(clinic=clinic, cause="paused", words="Paused.", opened_at=NOW, seen_at=NOW)
    Notice.objects.create(
        clinic=clinic, alert=alert, event="opened", way="webhook", words="Paused.", created_at=NOW, next_try_at=NOW
    )
    return clinic.slug
