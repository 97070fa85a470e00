"""Marks: a change on which plans depend leaves a Mark in the same transaction.

The Planner works Marks off (planning/marks.py).
"""

import datetime as dt
import uuid
from collections.abc import Iterable

from companion.clinics.models import Clinic, Mark, MarkKind


def leave(clinic: Clinic, kind: MarkKind, subject_id: uuid.UUID, *, now: dt.datetime) -> Mark:
    """Leave a Mark for this row, whose change may change plans."""
    return Mark.objects.create(clinic=clinic, kind=kind, subject_id=subject_id, created_at=now)


def leave_many(clinic: Clinic, kind: MarkKind, subject_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> list[Mark]:
    """Leave Marks for many rows at once."""
    return Mark.objects.bulk_create(
        [Mark(clinic=clinic, kind=kind, subject_id=subject, created_at=now) for subject in subject_ids], batch_size=1000
    )
