"""Act as people do while a dispatcher works. Called by inside.py."""

import time

from bench import rows
from bench.inside import Figures
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.planning import acts
from companion.schedules.models import Message
from companion.service.clock import database_now


def send_now(count: int, chats_from: int) -> Figures:
    """Send this number of tomorrow's messages now, one by one. Return by chat the Unix time of each click."""
    rows.due(count, time.time() + 86_400, chats_from=chats_from)
    clinic = Clinic.objects.get()
    caller = Caller(clinic, "member", clinic.id, "Bench", Role.PROVIDER)
    clicked: Figures = {}
    for message in Message.objects.filter(patient__telegram_id__gte=chats_from).select_related("patient", "schedule"):
        time.sleep(0.15)
        if message.patient:
            clicked[str(message.patient.telegram_id)] = time.time()
            acts.send_now(caller, message, now=database_now())
    return clicked
