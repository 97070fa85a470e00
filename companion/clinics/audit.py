"""The audit trail: one entry for each act or reading of a person or a program. Records, decides nothing.

An entry is sealed when it is made, in the transaction of its act, and chained to the others right after the commit
(chain.py). So acts never wait for each other because of the trail.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from types import MappingProxyType
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
"""Stands for the values of health data and of secrets, which the trail doesn't keep."""
NO_VALUE: Final[Changes] = MappingProxyType({})
"""The changes of an act that has no value before and after, such as a call to try a webhook out."""
REPEATED_AFTER: Final = dt.timedelta(minutes=10)
PLAN: Final = "plan"
"""The kind of an entry about a schedule's messages, which the Planner made, moved or took out after an act."""
_NAME: Final = 200


def record(
    caller: Caller,
    action: str,
    subject_kind: str,
    subject_id: uuid.UUID | None,
    *,
    now: dt.datetime,
    changes: Changes,
) -> None:
    """Record in the caller's transaction that `action` ("message cancelled") was done to this row.

    Every act says what was there before and after, or that it changes no such value (NO_VALUE).
    """
    _entry(caller, action, subject_kind, subject_id, now, changes=changes).save(force_insert=True)
    transaction.on_commit(chain.ring, robust=True)


def record_many(
    caller: Caller,
    action: str,
    subject_kind: str,
    changes: Mapping[uuid.UUID, Changes],
    *,
    now: dt.datetime,
) -> None:
    """Record one action for many rows at once, by their ids with what changed of each."""
    entries = [
        _entry(caller, action, subject_kind, subject, now, changes=changed) for subject, changed in changes.items()
    ]
    AuditEntry.objects.bulk_create(entries, batch_size=1000)
    transaction.on_commit(chain.ring, robust=True)


def record_reading(
    caller: Caller, action: str, subject_kind: str, subject_id: uuid.UUID | None, *, now: dt.datetime
) -> None:
    """Record that the caller read this row's health data. Nothing changed."""
    _entry(caller, action, subject_kind, subject_id, now, reading=True).save(force_insert=True)
    transaction.on_commit(chain.ring, robust=True)


def record_repeated_reading(
    caller: Caller, action: str, subject_kind: str, subject_id: uuid.UUID | None, *, now: dt.datetime
) -> None:
    """Record a reading that a page or a program repeats by itself: once in REPEATED_AFTER for a reader and a row."""
    same = AuditEntry.objects.filter(
        clinic=caller.clinic, subject_id=subject_id, at__gt=now - REPEATED_AFTER, action=action, reading=True
    )
    if not same.filter(actor_kind=caller.kind, actor_id=caller.id, address=act_origin.current()).exists():
        record_reading(caller, action, subject_kind, subject_id, now=now)


def acts_on(clinic: Clinic, *subjects: uuid.UUID) -> QuerySet[AuditEntry]:
    """The acts on these rows. Readings, which changed nothing, and what followed for plans are left out."""
    found = AuditEntry.objects.filter(clinic=clinic, subject_id__in=subjects, reading=False)
    return found.exclude(subject_kind=PLAN)


def differences(before: Mapping[str, object], after: Mapping[str, object], *, veiled: Collection[str] = ()) -> Changes:
    """Return what changed from `before` ({}: the row is new) to `after` ({}: it is gone).

    Of `veiled` values the trail says only that they changed.
    """
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
            return [_plain(item) for item in value]
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case _:
            return str(value)


def _entry(
    caller: Caller,
    action: str,
    subject_kind: str,
    subject_id: uuid.UUID | None,
    now: dt.datetime,
    *,
    changes: Changes = NO_VALUE,
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
        changes=dict(changes),
    )
    key = ring().in_use
    entry.key_id, entry.seal = key.id, seals.seal_of(vars(entry), key)
    return entry
