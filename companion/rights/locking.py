"""The locks for erasing or merging a patient: first schedules, then patients, then messages, each in the order of ids.

The Planner and the dispatcher lock rows in the same order, so that no deadlock can happen.
"""

import uuid
from typing import Final

from django.db.models import Q, QuerySet

from companion.clinics.access import Caller
from companion.clinics.refusals import Conflict, Unknown
from companion.delivery import lifecycle
from companion.patients.models import Patient
from companion.schedules.models import Message, Schedule, State

ON_ITS_WAY: Final = "A message to this patient is on its way to Telegram. Try again in a minute."


def hold(caller: Caller, *patients: Patient) -> list[Patient]:
    """Lock the running schedules of these patients and their rows. Return their present rows, in the given order.

    Raises Unknown for a patient who was removed meanwhile.
    """
    ids = [patient.pk for patient in patients]
    named = Q(recipient_rows__patient__in=ids) | Q(cohort__memberships__patient__in=ids)
    running = Schedule.objects.filter(clinic=caller.clinic, state__in=(State.ACTIVE, State.PAUSED))
    plans = running.filter(pk__in=running.filter(named).values("pk"))
    list(plans.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True))
    rows = Patient.objects.select_for_update(of=("self",)).select_related("clinic").filter(clinic=caller.clinic)
    locked = {patient.pk: patient for patient in rows.filter(pk__in=ids).order_by("id")}
    if len(locked) < len(ids):
        raise Unknown("There is no such patient any more.")
    return [locked[id] for id in ids]


def hold_messages(messages: QuerySet[Message]) -> list[uuid.UUID]:
    """Lock these Messages, so that the dispatcher begins none of them, and return their ids.

    Raises Conflict if a Message is on its way.
    """
    ids = list(messages.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True))
    if is_on_its_way(messages):
        raise Conflict(ON_ITS_WAY)
    return ids


def is_on_its_way(messages: QuerySet[Message]) -> bool:
    """Return whether one of these Messages is on its way to Telegram."""
    return messages.filter(lifecycle.ON_THE_WIRE).exists()
