"""Leaving a Mark: whoever changes what plans are made of says so in the same transaction.

The Planner works them off (planning/marks.py).
"""

import datetime as dt
import uuid
from collections.abc import Iterable

from companion.clinics.models import Clinic, Mark, MarkKind


def leave(clinic: Clinic, kind: MarkKind, subject_id: uuid.UUID, *, now: dt.datetime) -> Mark:
    """Notes that this row changed in a way that plans may depend on."""
    return Mark.objects.create(clinic=clinic, kind=kind, subject_id=subject_id, created_at=now)


def leave_many(clinic: Clinic, kind: MarkKind, subject_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> list[Mark]:
    """The same for many rows at once."""
    return Mark.objects.bulk_create(
        [Mark(clinic=clinic, kind=kind, subject_id=subject, created_at=now) for subject in subject_ids], batch_size=1000
    )
