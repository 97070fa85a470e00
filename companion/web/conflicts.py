"""Two people at one form: find the other person's changes, and merge both.

A form carries the values that it showed when it was opened (`shown`). Where these differ from the stored values,
another person made a change; where they differ from the typed values, this person made a change. The form's own view
locks the row and saves.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest

from companion.clinics import versions
from companion.clinics.models import Clinic
from companion.clinics.refusals import Conflict
from companion.clinics.versions import Change

Value = str | list[str]
Fields = Mapping[str, Value]
"""A form's fields as the form shows them. The order within a list doesn't matter."""

FIELD: Final = "shown"
_NAMED: Final = 5
"""The most changes that are named, newest first."""
_ON_THE_WAY: Final = dt.timedelta(minutes=1)
"""A change that began before the form was opened may be stored after the opening."""


@dataclass(frozen=True, slots=True)
class ChangedField:
    """A field that another person changed. `yours` is None if this person didn't touch the field."""

    label: str
    before: str
    now: str
    yours: str | None


@dataclass(frozen=True, slots=True)
class Clash:
    """Another person's changes to an open form. `merged` holds the present values with this person's changes on
    top.
    """

    fields: list[ChangedField]
    changes: list[Change]
    touched: frozenset[str]
    merged: dict[str, Value]
    shown: str
    """The value of the hidden field in the form that asks."""
    again_at: str
    """The address that opens the form with the present values."""


def shown(request: HttpRequest, fields: Fields, *, now: dt.datetime) -> str:
    """Build the form's hidden field: the value from the request, or these fields if the form opens now."""
    return request.POST.get(FIELD) or written(fields, now=now)


def written(fields: Fields, *, now: dt.datetime) -> str:
    """Write down the fields and the moment at which they are shown."""
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
    """Find another person's changes since the form showed `carried`, given the present values and the typed values.

    Returns None if nothing changed, if both people made the same change, or if the form carries no values.
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
    """List who changed these rows since an instant; if nobody is recorded, name the last person who did."""

    def since(opened: dt.datetime) -> list[Change]:
        found = versions.changes(clinic, subjects, actions=actions, since=opened - _ON_THE_WAY, most=_NAMED)
        return found or versions.changes(clinic, subjects, actions=actions)

    return since


def refuse_if_changed(
    request: HttpRequest,
    held: str,
    what: str,
    changes_since: Callable[[dt.datetime], list[Change]],
    *,
    now: dt.datetime,
) -> None:
    """Raise Conflict if a small form showed other values than `held`. Such a form has no typed text to lose."""
    carried = request.POST.get(FIELD)
    if carried is None or carried == held:
        return
    newest = next(iter(changes_since(now)), None)
    whom = f"{newest.name} changed" if newest else "Somebody changed"
    raise Conflict(
        f"{whom} {what} while this page was open. Nothing was done: look at how it is now, then do it again."
    )


def in_words(value: Value) -> str:
    """Write a field's value for people."""
    return value if isinstance(value, str) else ", ".join(value)


def _read(carried: str) -> tuple[dict[str, Value], dt.datetime | None]:
    """Read the shown fields and their moment; nothing if the form carries none."""
    try:
        told = json.loads(carried)
        return {str(name): _value(value) for name, value in told["fields"].items()}, dt.datetime.fromisoformat(
            told["at"]
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}, None


def _value(value: object) -> Value:
    return [str(one) for one in value] if isinstance(value, list) else str(value)


def _same(one: Value, other: Value) -> bool:
    return _compared(one) == _compared(other)


def _compared(value: Value) -> Value:
    return value.strip() if isinstance(value, str) else sorted(value)


def _merged(before: Value, held: Value, typed: Value) -> Value:
    """Return this person's value; for a list, add and remove this person's items in the present list."""
    if isinstance(before, str) or isinstance(held, str) or isinstance(typed, str):
        return typed
    kept = [one for one in held if one in typed or one not in before]
    return kept + [one for one in typed if one not in before and one not in held]
