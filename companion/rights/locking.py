"""The locks under which a patient is erased or merged: plans first, then patients, then messages, each in the order of
the ids. The Planner and the dispatcher take theirs in the same order.
"""

import uuid

from django.db.models import Q, QuerySet

from companion.clinics.access import Caller
from companion.clinics.refusals import Conflict, Unknown
from companion.delivery import lifecycle
from companion.patients.models import Patient
from companion.schedules.models import Message, Schedule, State

ON_ITS_WAY = "A message to this patient is on its way to Telegram. Try again in a minute."


def hold(caller: Caller, *patients: Patient) -> list[Patient]:
    """Lock the plans of these patients and their rows, and return the rows as they are now, in the given order.

    Raises Unknown for a patient who has gone meanwhile.
    """
    ids = [patient.pk for patient in patients]
    named = Q(recipient_rows__patient__in=ids) | Q(cohort__memberships__patient__in=ids)
    running = Schedule.objects.filter(clinic=caller.clinic, state__in=(State.ACTIVE, State.PAUSED))
    plans = running.filter(pk__in=running.filter(named).values("pk"))
    list(plans.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True))
    rows = Patient.objects.select_for_update(of=("self",)).select_related("clinic").filter(clinic=caller.clinic)
    found = {patient.pk: patient for patient in rows.filter(pk__in=ids).order_by("id")}
    if len(found) < len(ids):
        raise Unknown("There is no such patient any more.")
    return [found[one] for one in ids]


def hold_messages(messages: QuerySet[Message]) -> list[uuid.UUID]:
    """Lock these Messages, so that the dispatcher begins none of them, and return their ids. Raises Conflict if one is
    on its way.
    """
    ids = list(messages.select_for_update(of=("self",)).order_by("id").values_list("id", flat=True))
    if is_on_its_way(messages):
        raise Conflict(ON_ITS_WAY)
    return ids


def is_on_its_way(messages: QuerySet[Message]) -> bool:
    """Return whether one of these Messages is on its way to Telegram."""
    return messages.filter(lifecycle.ON_THE_WIRE).exists()
