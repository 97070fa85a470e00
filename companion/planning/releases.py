"""New releases of the time zones and holidays: what they move is replanned, by a Mark for each clinic.

Not here: which releases there are (times/workdays.py), and the replanning (marks.py).
"""

import datetime as dt

from django.db import transaction

from companion.clinics import marks
from companion.clinics.models import Clinic, MarkKind
from companion.times.workdays import releases


def mark_what_they_move(*, now: dt.datetime, present: str | None = None) -> int:
    """Leaves a Mark for each clinic whose plans were made with others than the `present` ones; how many that were."""
    present = present or releases()
    with transaction.atomic():
        old = list(Clinic.objects.select_for_update().exclude(planned_with=present).order_by("id"))
        for clinic in old:
            marks.leave(clinic, MarkKind.CLINIC, clinic.id, now=now)
        Clinic.objects.filter(pk__in=[clinic.pk for clinic in old]).update(planned_with=present)
    return len(old)
