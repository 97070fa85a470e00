"""Two people at one form: what somebody changed while the form was open, and the two put together.

A form carries what it showed when it was opened (`shown`). What differs from it now, somebody else changed; what was
typed otherwise, this person changed. Which row is held meanwhile, and what is saved, the form's own view says.
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
"""A form's fields as it shows them. Of a list the order says nothing."""

FIELD: Final = "shown"
_NAMED: Final = 5
"""How many changes are named, the newest first."""
_ON_THE_WAY: Final = dt.timedelta(minutes=1)
"""A change that was begun before the form was opened may have been stored after it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A field that somebody else changed. `yours` is None where this person left it alone."""

    label: str
    before: str
    now: str
    yours: str | None


@dataclass(frozen=True, slots=True)
class Clash:
    """What somebody else changed in an open form. `merged` is how it is now, under what this person changed."""

    lines: list[Line]
    changes: list[Change]
    touched: frozenset[str]
    merged: dict[str, Value]
    shown: str
    """What the form carries when it asks."""
    again_at: str
    """Where the form opens as it is now."""


def shown(request: HttpRequest, fields: Fields, *, now: dt.datetime) -> str:
    """What the form's hidden field carries: as it came with the request, or these fields of a form that opens now."""
    return request.POST.get(FIELD) or written(fields, now=now)


def written(fields: Fields, *, now: dt.datetime) -> str:
    """The fields and the moment at which they are shown."""
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
    """What somebody else changed since the form showed `carried`, where `held` is how it is now and `typed` came back.

    None where nothing changed, where both made the same of it, and for a form that carries nothing.
    """
    before, since = _read(carried)
    others = [name for name in held if name in before and not _same(before[name], held[name])]
    touched = frozenset(name for name in typed if name in before and not _same(before[name], typed[name]))
    if since is None or all(name in typed and _same(held[name], typed[name]) for name in others):
        return None
    merged = dict(held) | {name: _merged(before[name], held[name], typed[name]) for name in touched if name in held}
    lines = [
        Line(
            labels.get(name, name),
            say(name, before[name]),
            say(name, held[name]),
            say(name, typed[name]) if name in touched else None,
        )
        for name in others
    ]
    return Clash(lines, changes_since(since), touched, merged, written(held, now=now), again_at)


def changes_of(clinic: Clinic, subjects: Collection[uuid.UUID], *actions: str) -> Callable[[dt.datetime], list[Change]]:
    """Who changed these rows since an instant; where that is not written down, who did last."""

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
    """For a small form, of which nothing typed is lost: raises Conflict where it showed something else than `held`."""
    carried = request.POST.get(FIELD)
    if carried is None or carried == held:
        return
    newest = next(iter(changes_since(now)), None)
    whom = f"{newest.name} changed" if newest else "Somebody changed"
    raise Conflict(
        f"{whom} {what} while this page was open. Nothing was done: look at how it is now, then do it again."
    )


def in_words(value: Value) -> str:
    """A field's value as it is read."""
    return value if isinstance(value, str) else ", ".join(value)


def _read(carried: str) -> tuple[dict[str, Value], dt.datetime | None]:
    """The fields that a form showed, and when; nothing for a form that carries none of it."""
    try:
        told = json.loads(carried)
        return {str(name): _value(value) for name, value in told["fields"].items()}, dt.datetime.fromisoformat(
            told["at"]
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}, None


def _value(value: object) -> Value:
    return [str(one) for one in value] if isinstance(value, list) else str(value)


def _same(one: Value, other: Value) -> bool:
    return _compared(one) == _compared(other)


def _compared(value: Value) -> Value:
    return value.strip() if isinstance(value, str) else sorted(value)


def _merged(before: Value, held: Value, typed: Value) -> Value:
    """This person's value; of a list, what this person put in and took out, done to the list as it is now."""
    if isinstance(before, str) or isinstance(held, str) or isinstance(typed, str):
        return typed
    kept = [one for one in held if one in typed or one not in before]
    return kept + [one for one in typed if one not in before and one not in held]
