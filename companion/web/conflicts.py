"""Two people change the same form: find the other person's changes, and merge both.

A form carries the values that it showed when it was opened (`shown`). If a stored value differs from the shown value,
another person changed it. If a typed value differs from the shown value, this person changed it. The view of the form
locks the row and saves.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.http import HttpRequest

from companion.clinics import versions
from companion.clinics.models import Clinic
from companion.clinics.refusals import Conflict
from companion.clinics.versions import Change

Value = str | list[str]
Fields = Mapping[str, Value]
"""The values of a form's fields, by their names. The order within a list doesn't matter."""

FIELD: Final = "shown"
_NAMED: Final = 5
"""The largest number of changes that are named; the newest are named first."""
_COMMITTED_LATE: Final = dt.timedelta(minutes=1)
"""The time before the form's opening in which changes count, too: a change is dated when it begins, but can be seen
only when it is committed.
"""


@dataclass(frozen=True, slots=True)
class ChangedField:
    """A field that another person changed. `yours` is None if this person didn't touch the field."""

    label: str
    before: str
    now: str
    yours: str | None


@dataclass(frozen=True, slots=True)
class Clash:
    """Another person's changes to an open form. `merged`: the stored values, overwritten by this person's changes."""

    fields: list[ChangedField]
    changes: list[Change]
    touched: frozenset[str]
    merged: dict[str, Value]
    shown: str
    """The hidden field's new value, for the form that shows the clash."""
    again_at: str
    """The address that opens the form anew, with the stored values."""


def shown(request: HttpRequest, fields: Fields, *, now: dt.datetime) -> str:
    """Return the hidden field's value: as the request sent it, or made from these fields if the form opens now."""
    return request.POST.get(FIELD) or written(fields, now=now)


def written(fields: Fields, *, now: dt.datetime) -> str:
    """Encode the fields and the moment at which they are shown as JSON."""
    return json.dumps({"at": now.isoformat(), "fields": dict(fields)})


def clash(
    carried: str,
    held: Fields,
    typed: Fields,
    labels: Mapping[str, str],
    changes_since: Callable[[dt.datetime], list[Change]],
    *,
    again_at: str,
    now: dt.datetime,
    say: Callable[[str, Value], str] = lambda _, value: in_words(value),
) -> Clash | None:
    """Find another person's changes since the form showed `carried`. `held` are the stored values.

    Returns None if nothing changed, if both people made the same change, or if the form carries no values. `say`
    writes a field's value for people.
    """
    before, since = _read(carried)
    others = [name for name in held if name in before and not _same(before[name], held[name])]
    touched = frozenset(name for name in typed if name in before and not _same(before[name], typed[name]))
    if since is None or all(name in typed and _same(held[name], typed[name]) for name in others):
        return None
    merged = dict(held) | {name: _merged(before[name], held[name], typed[name]) for name in touched if name in held}
    fields = [
        ChangedField(
            labels.get(name, name),
            say(name, before[name]),
            say(name, held[name]),
            say(name, typed[name]) if name in touched else None,
        )
        for name in others
    ]
    return Clash(fields, changes_since(since), touched, merged, written(held, now=now), again_at)


def changes_of(clinic: Clinic, subjects: Collection[uuid.UUID], *actions: str) -> Callable[[dt.datetime], list[Change]]:
    """Return a function that lists who changed these rows since an instant.

    If nobody is recorded since then, the list names the last person who changed them.
    """

    def since(opened: dt.datetime) -> list[Change]:
        changes = versions.changes(clinic, subjects, actions=actions, since=opened - _COMMITTED_LATE, most=_NAMED)
        return changes or versions.changes(clinic, subjects, actions=actions)

    return since


def refuse_if_changed(
    request: HttpRequest,
    held: str,
    what: str,
    changes_since: Callable[[dt.datetime], list[Change]],
    *,
    now: dt.datetime,
) -> None:
    """Raise Conflict if a small form showed another value than the stored `held`.

    Such a form is not merged: it has no typed text that could be lost.
    """
    carried = request.POST.get(FIELD)
    if carried is None or carried == held:
        return
    newest = next(iter(changes_since(now)), None)
    somebody = newest.name if newest else "Somebody"
    raise Conflict(
        f"{somebody} changed {what} while this page was open. Nothing was done. Check the page as it is now, then try "
        "again."
    )


def in_words(value: Value) -> str:
    """Write a field's value for people."""
    return value if isinstance(value, str) else ", ".join(value)


class _Carried(NamedTuple):
    """The fields that a form showed, and the moment at which it was opened."""

    fields: dict[str, Value]
    at: dt.datetime | None


def _read(carried: str) -> _Carried:
    """Decode the shown fields and their moment; without a readable value, return no fields and None."""
    try:
        decoded = json.loads(carried)
        fields = {str(name): _value(value) for name, value in decoded["fields"].items()}
        return _Carried(fields, dt.datetime.fromisoformat(decoded["at"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _Carried({}, None)


def _value(value: object) -> Value:
    return [str(item) for item in value] if isinstance(value, list) else str(value)


def _same(value: Value, other: Value) -> bool:
    return _comparable(value) == _comparable(other)


def _comparable(value: Value) -> Value:
    return value.strip() if isinstance(value, str) else sorted(value)


def _merged(before: Value, held: Value, typed: Value) -> Value:
    """Return this person's value. For a list, return the stored list with this person's additions and removals."""
    if isinstance(before, str) or isinstance(held, str) or isinstance(typed, str):
        return typed
    kept = [item for item in held if item in typed or item not in before]
    return kept + [item for item in typed if item not in before and item not in held]
