"""Messages that a running dispatcher is to send at once, and what became of them."""

import datetime as dt

from django.utils.timezone import now as present

from companion.patients.models import Patient
from companion.schedules.models import Message, Status
from companion.service.wake import ring
from tests.builders import a_message


def due(patient: Patient, **fields: object) -> Message:
    now = present()
    values: dict[str, object] = {"due_at": now, "ready_at": now, "late_at": now + dt.timedelta(hours=1)}
    message = a_message(patient, None, **values | fields)
    ring()
    return message


def status(message: Message) -> tuple[str, str]:
    message.refresh_from_db()
    return message.status, message.reason


def ended(message: Message) -> bool:
    return status(message)[0] != Status.PENDING
