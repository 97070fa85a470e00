"""Drafts of the planning form: saved while a member types, shown to that member only, deleted after two weeks.

Each form has a key, so that pressing its button twice plans once. form.py explains the fields.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from companion.clinics.access import Caller
from companion.clinics.ids import as_uuid, new_id
from companion.clinics.refusals import Unknown
from companion.planning.edit import Planned
from companion.rights.copies import Erased, Moved
from companion.schedules.models import Schedule
from companion.web.models import Draft
from companion.web.planning.typed import Typed

KEPT_FOR: Final = dt.timedelta(days=14)
LISTED: Final = 5
"""The largest number of drafts that the list page names."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A draft as the list page names it."""

    key: uuid.UUID
    saved_at: dt.datetime
    series: uuid.UUID | None
    text: str


class PlannedBefore(Exception):
    """Refusal of a form that was planned before. `same` is True if the form hasn't changed since."""

    def __init__(self, schedule: Schedule, *, same: bool) -> None:
        super().__init__("this form was planned before")
        self.schedule = schedule
        self.same = same


def key_of(request: HttpRequest) -> uuid.UUID:
    """Return the key that the form or its address carries; a new key for a new form."""
    carried = request.POST.get("draft") or request.GET.get("draft")
    return as_uuid(carried) if carried else new_id()


def save(caller: Caller, key: uuid.UUID, typed: Typed, *, series: uuid.UUID | None, now: dt.datetime) -> bool:
    """Save the form and return whether a draft is kept: a planned form and an empty form are not kept.

    Raises Unknown for another member's key.
    """
    forget_old(caller, now=now)
    unplanned = _drafts_of(caller).filter(id=key, planned__isnull=True)
    if not (typed.text.strip() or typed.patients or typed.cohort):
        unplanned.delete()
        return False
    if unplanned.update(values=_encoded(typed), saved_at=now):
        return True
    # No row was updated: this form is new, or another request has saved or planned it at the same moment.
    draft, made = _get_or_create(caller, key, typed, series, now)
    return made or draft.planned_id is None


def opened(caller: Caller, key: uuid.UUID, *, series: uuid.UUID | None, now: dt.datetime) -> Typed | None:
    """Return the form as it was saved; None if it was never saved, is planned already, or edits another series."""
    draft = _unplanned(caller, now).filter(id=key).first()
    return _decoded(draft.values) if draft and draft.schedule_id == series else None


def discard(caller: Caller, key: uuid.UUID) -> None:
    """Delete the draft. It is no error if the draft is gone already."""
    _drafts_of(caller).filter(id=key, planned__isnull=True).delete()


def listed(caller: Caller, *, now: dt.datetime) -> list[Listed]:
    """List the caller's drafts, newest first."""
    drafts = _unplanned(caller, now).order_by("-saved_at", "-id")[:LISTED]
    return [Listed(draft.id, draft.saved_at, draft.schedule_id, _decoded(draft.values).text) for draft in drafts]


def plan_once(
    caller: Caller, key: uuid.UUID, typed: Typed, plan: Callable[[], Planned], *, now: dt.datetime
) -> Planned:
    """Call `plan` unless the form was planned before; mark the draft as planned and return the result of `plan`.

    Raises PlannedBefore, Unknown for another member's key, and the errors of `plan`.
    """
    with transaction.atomic():
        _get_or_create(caller, key, typed, None, now)
        # If the button was pressed twice at the same moment, the second request waits here for the first.
        draft = _drafts_of(caller).select_for_update(of=("self",)).select_related("planned").get(id=key)
        if draft.planned:
            raise PlannedBefore(draft.planned, same=_decoded(draft.values) == _without_search(typed))
        planned = plan()
        _drafts_of(caller).filter(id=key).update(planned=planned.schedule, values=_encoded(typed), saved_at=now)
        return planned


def forget_old(caller: Caller, *, now: dt.datetime) -> None:
    """Delete the clinic's drafts that were last saved longer than KEPT_FOR ago."""
    Draft.objects.filter(clinic=caller.clinic, saved_at__lt=now - KEPT_FOR).delete()


def drop_old(now: dt.datetime) -> None:
    """Delete the old drafts of all clinics."""
    Draft.objects.filter(saved_at__lt=now - KEPT_FOR).delete()


def forget_erased(erased: Erased) -> None:
    """Delete the drafts that name an erased patient.

    A planned form is only emptied: its key stays, so that a second press of its button plans nothing.
    """
    drafts = Draft.objects.filter(clinic=erased.clinic).only("values", "schedule", "planned")
    erased_schedules = set(erased.schedules)
    naming = [
        draft.pk
        for draft in drafts.iterator(500)
        if erased.is_named_in(draft.values) or {draft.schedule_id, draft.planned_id} & erased_schedules
    ]
    rows = Draft.objects.filter(pk__in=naming)
    rows.filter(planned__isnull=True).delete()
    rows.update(values=_encoded(Typed()))


def follow_merge(moved: Moved) -> None:
    """Put the remaining patient in place of the merged patient in all drafts that name the merged patient."""
    for draft in Draft.objects.filter(clinic=moved.clinic).only("values").iterator(500):
        if str(moved.gone) in draft.values:
            typed = _decoded(draft.values.replace(str(moved.gone), str(moved.into)))
            each_once = replace(typed, patients=tuple(dict.fromkeys(typed.patients)))
            Draft.objects.filter(pk=draft.pk).update(values=_encoded(each_once))


def _drafts_of(caller: Caller) -> QuerySet[Draft]:
    # Only services have no id, and services use no pages.
    assert caller.id is not None
    return Draft.objects.filter(clinic=caller.clinic, member_id=caller.id)


def _unplanned(caller: Caller, now: dt.datetime) -> QuerySet[Draft]:
    return _drafts_of(caller).filter(planned__isnull=True, saved_at__gte=now - KEPT_FOR)


def _get_or_create(
    caller: Caller, key: uuid.UUID, typed: Typed, series: uuid.UUID | None, now: dt.datetime
) -> tuple[Draft, bool]:
    values = {"values": _encoded(typed), "schedule_id": series, "saved_at": now}
    defaults = {"clinic": caller.clinic, "member_id": caller.id} | values
    try:
        return _drafts_of(caller).get_or_create(id=key, defaults=defaults)
    except IntegrityError:
        # The key exists, but belongs to another member.
        raise Unknown from None


def _encoded(typed: Typed) -> str:
    # The word of a search is no part of the plan. It may be the name of a patient whom nobody chose.
    return json.dumps(asdict(_without_search(typed)))


def _without_search(typed: Typed) -> Typed:
    return replace(typed, find="")


def _decoded(values: str) -> Typed:
    """Read a saved form. Fields that only an older version of the form had are left out."""
    saved: dict[str, str | list[str]] = json.loads(values)
    known = {field.name for field in fields(Typed)}
    return Typed(
        **{  # type: ignore[arg-type]  # _encoded wrote each field under its name
            name: tuple(value) if isinstance(value, list) else value for name, value in saved.items() if name in known
        }
    )
