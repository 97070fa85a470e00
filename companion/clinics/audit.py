"""The audit trail: one entry for each act or reading of a person or a program. Records, decides nothing.

An entry is sealed when it is made, in the transaction of its act, and chained to the others right after the commit
(chain.py). So acts never wait for each other because of the trail.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from django.db import transaction
from django.db.models import Model, QuerySet

from companion.clinics import chain, seals
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, Clinic
from companion.service import act_origin
from companion.service.key_ring import ring

Changes = Mapping[str, object]
"""The changed values by name: [before, after], or CHANGED."""
CHANGED: Final = "changed"
"""Stands for the values of health data, which the trail doesn't keep."""
_NAME: Final = 200


def record(
    caller: Caller,
    action: str,
    subject_kind: str,
    subject_id: uuid.UUID | None,
    *,
    now: dt.datetime,
    changes: Changes | None = None,
) -> None:
    """Record in the caller's transaction that `action` ("message cancelled") was done to this row."""
    _entry(caller, action, subject_kind, subject_id, now, changes=changes).save(force_insert=True)
    transaction.on_commit(chain.ring, robust=True)


def record_many(
    caller: Caller,
    action: str,
    subject_kind: str,
    subject_ids: Iterable[uuid.UUID],
    *,
    now: dt.datetime,
    changes: Changes | None = None,
) -> None:
    """Record one action for many rows at once."""
    entries = [_entry(caller, action, subject_kind, one, now, changes=changes) for one in subject_ids]
    AuditEntry.objects.bulk_create(entries, batch_size=1000)
    transaction.on_commit(chain.ring, robust=True)


def record_reading(
    caller: Caller, action: str, subject_kind: str, subject_id: uuid.UUID | None, *, now: dt.datetime
) -> None:
    """Record that the caller read this row's health data. Nothing changed."""
    _entry(caller, action, subject_kind, subject_id, now, reading=True).save(force_insert=True)
    transaction.on_commit(chain.ring, robust=True)


def acts_on(clinic: Clinic, *subjects: uuid.UUID) -> QuerySet[AuditEntry]:
    """The acts on these rows. Readings, which changed nothing, are left out."""
    return AuditEntry.objects.filter(clinic=clinic, subject_id__in=subjects, reading=False)


def differences(before: Mapping[str, object], after: Mapping[str, object], *, veiled: Collection[str] = ()) -> Changes:
    """Return what changed from `before` to `after`. Of `veiled` values the trail says only that they changed."""
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return {name: CHANGED if name in veiled else [_plain(before.get(name)), _plain(after.get(name))] for name in names}


def columns(row: Model, names: Collection[str]) -> dict[str, object]:
    """The row's present values of these columns, to be compared later."""
    return {name: getattr(row, name) for name in names}


def _plain(value: object) -> object:
    """The value as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return str(value)


def _entry(
    caller: Caller,
    action: str,
    subject_kind: str,
    subject_id: uuid.UUID | None,
    now: dt.datetime,
    *,
    changes: Changes | None = None,
    reading: bool = False,
) -> AuditEntry:
    entry = AuditEntry(
        clinic=caller.clinic,
        at=now,
        actor_kind=caller.kind,
        actor_id=caller.id,
        actor_name=caller.name[:_NAME],
        on_behalf_of=caller.on_behalf_of[:_NAME],
        address=act_origin.current(),
        action=action,
        reading=reading,
        subject_kind=subject_kind,
        subject_id=subject_id,
        changes=dict(changes or {}),
    )
    key = ring().in_use
    entry.key_id, entry.seal = key.id, seals.seal_of(vars(entry), key)
    return entry
