"""The body of a call in the form of Standard Webhooks: type, timestamp and data.

A body has only ids, instants and codes, and never a text or a name.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Final

from companion.webhooks.models import Delivery, Kind

_SUBJECTS: Final = {
    Kind.ALERT: "alert",
    Kind.SENT: "message",
    Kind.FAILED: "message",
    Kind.REPLY: "reply",
    Kind.ANSWER: "message",
    Kind.CONSENT: "patient",
    Kind.ENROLMENT: "patient",
    Kind.AUDIT: "told",
}
_CODES: Final = {Kind.ALERT: "cause", Kind.FAILED: "reason", Kind.CONSENT: "consent"}
TEST: Final = "test"
"""The type of a test call, which belongs to no event."""


def body_of(delivery: Delivery) -> str:
    """Return the body for this event. It is the same at each try. A reply names itself in `more`."""
    kind = Kind(delivery.kind)
    data: dict[str, object] = {_SUBJECTS[kind]: str(delivery.subject)}
    if kind not in (Kind.ALERT, Kind.CONSENT, Kind.ENROLMENT, Kind.AUDIT):
        data["patient"] = _text(delivery.patient)
    if kind in _CODES:
        data[_CODES[kind]] = delivery.code
    return _written(kind.value, delivery.at, data | delivery.more)


def of_alert(alert: uuid.UUID, cause: str, more: Mapping[str, str], *, at: dt.datetime) -> str:
    """Return the body for an alert that could not be stored, because the database is away."""
    return _written(Kind.ALERT.value, at, {"alert": str(alert), "cause": cause, **more})


def of_test(*, at: dt.datetime) -> str:
    """Return the body of a test."""
    return _written(TEST, at, {})


def _written(kind: str, at: dt.datetime, data: Mapping[str, object]) -> str:
    instant = at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": instant, "data": data}, separators=(",", ":"))


def _text(id: uuid.UUID | None) -> str | None:
    return str(id) if id else None
