"""The audit trail: one entry for each act of a person or a program. Records acts, decides nothing."""

import datetime as dt
import uuid
from collections.abc import Iterable

from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry


def record(caller: Caller, action: str, subject_kind: str, subject_id: uuid.UUID | None, *, now: dt.datetime) -> None:
    """Record in the caller's transaction that `action` ("message cancelled") was done to this row."""
    _entry(caller, action, subject_kind, subject_id, now).save(force_insert=True)


def record_many(
    caller: Caller, action: str, subject_kind: str, subject_ids: Iterable[uuid.UUID], *, now: dt.datetime
) -> None:
    """Record one action for many rows at once."""
    entries = [_entry(caller, action, subject_kind, subject_id, now) for subject_id in subject_ids]
    AuditEntry.objects.bulk_create(entries, batch_size=1000)


def _entry(
    caller: Caller, action: str, subject_kind: str, subject_id: uuid.UUID | None, now: dt.datetime
) -> AuditEntry:
    return AuditEntry(
        clinic=caller.clinic,
        at=now,
        actor_kind=caller.kind,
        actor_name=caller.name,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
    )
