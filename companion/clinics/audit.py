"""The audit trail: one line for each act of a person or a program. It records; it decides nothing."""

import datetime as dt
import uuid

from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry


def record(caller: Caller, action: str, subject_kind: str, subject_id: uuid.UUID | None, *, now: dt.datetime) -> None:
    """Writes down, in the caller's transaction, that `action` ("message cancelled") was done to that row."""
    AuditEntry.objects.create(
        clinic=caller.clinic,
        at=now,
        actor_kind=caller.kind,
        actor_name=caller.name,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
    )
