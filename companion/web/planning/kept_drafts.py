"""Drafts of the planning form: saved while a member types, visible to that member only, forgotten after two weeks.

Each form has a key, so that pressing its button twice plans only once. The meaning of the fields is in form.py.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace

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

KEPT_FOR = dt.timedelta(days=14)
LISTED = 5
"""The most drafts that the list page names, newest first."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A draft as the list page names it."""

    key: uuid.UUID
    saved_at: dt.datetime
    series: uuid.UUID | None
    text: str


class PlannedBefore(Exception):
    """Refusal of a form that was already planned. `same`: the form hasn't changed since."""

    def __init__(self, schedule: Schedule, *, same: bool) -> None:
        super().__init__("this form was planned before")
        self.schedule = schedule
        self.same = same


def key_of(request: HttpRequest) -> uuid.UUID:
    """Return the key from the form or from its address; a new key for a new form."""
    given = request.POST.get("draft") or request.GET.get("draft")
    return as_uuid(given) if given else new_id()


def save(caller: Caller, key: uuid.UUID, typed: Typed, *, series: uuid.UUID | None, now: dt.datetime) -> bool:
    """Save the form, and say whether it was kept: a planned form or an empty form is not kept.

    Raises Unknown for another member's key.
    """
    forget_old(caller, now=now)
    own = _own(caller).filter(id=key)
    if not (typed.text.strip() or typed.patients or typed.cohort):
        own.filter(planned__isnull=True).delete()
        return False
    if own.filter(planned__isnull=True).update(values=_written(typed), saved_at=now):
        return True
    draft, made = _made(caller, key, typed, series, now)
    # No row: another request saved the form at this moment, or planned it meanwhile.
    return made or draft.planned_id is None


def opened(caller: Caller, key: uuid.UUID, *, series: uuid.UUID | None, now: dt.datetime) -> Typed | None:
    """Return the form as saved. None: the form was never saved, or is planned."""
    draft = _waiting(caller, now).filter(id=key).first()
    return _read(draft.values) if draft and draft.schedule_id == series else None


def discard(caller: Caller, key: uuid.UUID) -> None:
    """Forget the draft; a draft that is gone already is no error."""
    _own(caller).filter(id=key, planned__isnull=True).delete()


def listed(caller: Caller, *, now: dt.datetime) -> list[Listed]:
    """List the caller's drafts, newest first."""
    drafts = _waiting(caller, now).order_by("-saved_at", "-id")[:LISTED]
    return [Listed(one.id, one.saved_at, one.schedule_id, _read(one.values).text) for one in drafts]


def plan_once(
    caller: Caller, key: uuid.UUID, typed: Typed, plan: Callable[[], Planned], *, now: dt.datetime
) -> Planned:
    """Return the result of `plan`, and finish the draft. Raises PlannedBefore, Unknown, and the errors of `plan`."""
    with transaction.atomic():
        _made(caller, key, typed, None, now)
        # If the button was pressed twice at the same moment, the second request waits here for the first.
        held = _own(caller).select_for_update(of=("self",)).select_related("planned").get(id=key)
        if held.planned:
            raise PlannedBefore(held.planned, same=_read(held.values) == typed)
        planned = plan()
        _own(caller).filter(id=key).update(planned=planned.schedule, values=_written(typed), saved_at=now)
        return planned


def forget_old(caller: Caller, *, now: dt.datetime) -> None:
    """Delete the clinic's drafts that nobody touched for KEPT_FOR."""
    Draft.objects.filter(clinic=caller.clinic, saved_at__lt=now - KEPT_FOR).delete()


def forget_erased(erased: Erased) -> None:
    """Delete the drafts that name an erased patient. Of a planned form its key stays, so that it plans only once."""
    drafts = Draft.objects.filter(clinic=erased.clinic).only("values", "schedule", "planned")
    own = set(erased.schedules)
    named = [
        one.pk
        for one in drafts.iterator(500)
        if erased.is_named_in(one.values) or {one.schedule_id, one.planned_id} & own
    ]
    rows = Draft.objects.filter(pk__in=named)
    rows.filter(planned__isnull=True).delete()
    rows.update(values=_written(Typed()))


def follow_merge(moved: Moved) -> None:
    """Name the patient who goes on in the drafts that name the patient who is gone."""
    for draft in Draft.objects.filter(clinic=moved.clinic).only("values").iterator(500):
        if str(moved.gone) in draft.values:
            typed = _read(draft.values.replace(str(moved.gone), str(moved.into)))
            once = replace(typed, patients=tuple(dict.fromkeys(typed.patients)))
            Draft.objects.filter(pk=draft.pk).update(values=_written(once))


def _own(caller: Caller) -> QuerySet[Draft]:
    # Only the services act without an id, and they see no pages.
    assert caller.id is not None
    return Draft.objects.filter(clinic=caller.clinic, member_id=caller.id)


def _waiting(caller: Caller, now: dt.datetime) -> QuerySet[Draft]:
    return _own(caller).filter(planned__isnull=True, saved_at__gte=now - KEPT_FOR)


def _made(
    caller: Caller, key: uuid.UUID, typed: Typed, series: uuid.UUID | None, now: dt.datetime
) -> tuple[Draft, bool]:
    values = {"values": _written(typed), "schedule_id": series, "saved_at": now}
    try:
        return _own(caller).get_or_create(id=key, defaults={"clinic": caller.clinic, "member_id": caller.id} | values)
    except IntegrityError:
        # The key exists, but belongs to another caller.
        raise Unknown from None


def _written(typed: Typed) -> str:
    return json.dumps(asdict(typed))


def _read(values: str) -> Typed:
    """Read the saved form. Fields that an older version had are left out."""
    kept: dict[str, str | list[str]] = json.loads(values)
    known = {one.name for one in fields(Typed)}
    return Typed(
        **{  # type: ignore[arg-type]  # each field by its own name, as _written wrote them
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items() if name in known
        }
    )
