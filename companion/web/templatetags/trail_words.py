"""The changes in an entry of the audit trail, in words."""

import json
from collections.abc import Iterator, Mapping

from django import template

from companion.clinics.audit import CHANGED

register = template.Library()


@register.filter
def in_words(changes: Mapping[str, object]) -> Iterator[str]:
    """Yield each changed value as a line: "timezone: Europe/Berlin → Asia/Tokyo", "name: changed"."""
    for name, change in changes.items():
        match change:
            case [before, after]:
                yield f"{name}: {_value(before)} → {_value(after)}"
            case _:
                yield f"{name}: {CHANGED}"


def _value(value: object) -> str:
    match value:
        case None | "" | [] | {}:
            return "nothing"
        case [*values]:
            return ", ".join(map(_value, values))
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
