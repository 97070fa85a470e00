"""The first set-up of a clinic: its name, country, zone and number for urgent help, before it plans any message."""

import datetime as dt
from collections.abc import Callable

from django.db import transaction

from companion.clinics import urgent_words
from companion.clinics.access import Caller
from companion.clinics.clinics import change_clinic
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Problem, Refused


def set_up(caller: Caller, *, name: str, country: str, timezone: str, phone: str, now: dt.datetime) -> Clinic:
    """Store the answers. Without a number, replies are not searched for urgent words.

    Raises Refused with every wrong field (name, country, timezone, phone), and NotAllowed.
    """
    caller.needs(Role.ADMIN)
    values = {"name": name, "country": country, "timezone": timezone}
    words = caller.clinic.urgent_words if phone.strip() else []
    with transaction.atomic():
        problems = [
            *_problems_of(lambda: change_clinic(caller, values, now=now)),
            *_problems_of(lambda: urgent_words.change(caller, words, phone, now=now)),
        ]
        if problems:
            raise Refused(*problems)
        clinic = Clinic.objects.get(pk=caller.clinic.pk)
        clinic.set_up_at = clinic.set_up_at or now
        clinic.save(update_fields=["set_up_at"])
    return clinic


def _problems_of(store: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        store()
    except Refused as refusal:
        return tuple(refusal.problems)
    return ()
