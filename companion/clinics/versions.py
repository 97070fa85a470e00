"""The version of an object: a tag that changes with the object, a lock to compare it under, and its last changes.

Higher rooms say which rows belong to an object (api/versions.py for programs, web/conflicts.py for forms).
"""

import datetime as dt
import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils.crypto import salted_hmac

from companion.clinics import audit
from companion.clinics.models import Clinic
from companion.clinics.stored_entries import readable
from companion.service.key_ring import ring

_Row = TypeVar("_Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an object: the person, the time and the act ("schedule paused")."""

    kind: str
    name: str
    at: dt.datetime
    action: str


class Stale(Exception):
    """A refusal because the object has changed since the caller read it (HTTP 412). Nothing was stored."""

    def __init__(self, what: str, last: Change | None) -> None:
        self.last = last
        change = f"{last.name} changed it last, at {last.at:%Y-%m-%d %H:%M} UTC ({last.action}). " if last else ""
        super().__init__(f"This {what} was changed since you read it. {change}Read it again first.")


def tags_of(kind: str, facts: object) -> list[str]:
    """The strong entity tags of these facts, one for each known secret key. An answer carries the first.

    The tags are keyed hashes, so that nobody can find out a text by its tag.
    """
    written, salt = json.dumps(facts, sort_keys=True, default=str), f"companion.versions.{kind}"
    digests = (salted_hmac(salt, written, secret=key.secret, algorithm="sha256") for key in ring().keys)
    return [f'"{digest.hexdigest()[:32]}"' for digest in digests]


def columns_of(row: Model, *, without: Collection[str] = ()) -> dict[str, object]:
    """The row's columns by their names, without those named in `without`."""
    fields = row._meta.concrete_fields
    return {field.attname: field.value_from_object(row) for field in fields if field.attname not in without}


def hold(rows: QuerySet[_Row]) -> _Row | None:
    """Return the first of these rows, locked until the transaction ends; None if there is none.

    Other changes of the row wait for the lock. New rows may still refer to it, so the Planner can make Messages.
    """
    return rows.select_for_update(of=("self",), no_key=True).first()


def changes(
    clinic: Clinic,
    subjects: Collection[uuid.UUID],
    *,
    actions: Collection[str] = (),
    since: dt.datetime | None = None,
    most: int = 1,
) -> list[Change]:
    """The newest changes of these rows in the audit trail, the newest first; only these `actions`, where there are any
    named, and only what came at `since` or later."""
    found = audit.acts_on(clinic, *subjects)
    if actions:
        found = found.filter(action__in=actions)
    if since:
        found = found.filter(at__gte=since)
    return [
        Change(entry.actor_kind, entry.actor_name, entry.at, entry.action)
        for entry in readable(found.order_by("-at", "-id")[:most])
    ]
