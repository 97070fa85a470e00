"""Marks after a new release of the time zone or holiday data, so that the plans of all clinics are computed again.

times/workdays.py names the releases, and marks.py works the Marks off.
"""

import datetime as dt

from django.db import transaction

from companion.clinics import marks
from companion.clinics.models import Clinic, MarkKind
from companion.times.workdays import releases


def mark_what_they_move(*, now: dt.datetime, present: str | None = None) -> int:
    """Leave a Mark for each clinic whose plans were made with other releases. Returns the number of clinics."""
    present = present or releases()
    with transaction.atomic():
        old = list(Clinic.objects.select_for_update().exclude(planned_with=present).order_by("id"))
        for clinic in old:
            marks.leave(clinic, MarkKind.CLINIC, clinic.id, now=now)
        Clinic.objects.filter(pk__in=[clinic.pk for clinic in old]).update(planned_with=present)
    return len(old)
