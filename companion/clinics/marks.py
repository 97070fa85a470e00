"""Leave a Mark: a change of anything that plans depend on is noted in the same transaction.

The Planner works Marks off (planning/marks.py).
"""

import datetime as dt
import uuid
from collections.abc import Iterable

from companion.clinics.models import Clinic, Mark, MarkKind


def leave(clinic: Clinic, kind: MarkKind, subject_id: uuid.UUID, *, now: dt.datetime) -> Mark:
    """Note that plans may depend on this change of the row."""
    return Mark.objects.create(clinic=clinic, kind=kind, subject_id=subject_id, created_at=now)


def leave_many(clinic: Clinic, kind: MarkKind, subject_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> list[Mark]:
    """Note this for many rows at once."""
    return Mark.objects.bulk_create(
        [Mark(clinic=clinic, kind=kind, subject_id=subject, created_at=now) for subject in subject_ids], batch_size=1000
    )
