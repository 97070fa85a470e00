"""Warnings about plans and changes, in the shape that programs read."""

import uuid
from collections.abc import Iterable

from companion.api.values import Shape
from companion.planning.warnings import Warning


class WarningShape(Shape):
    """A warning: the call succeeds, but a person should know this."""

    patient: uuid.UUID | None
    code: str
    message: str


def warning_shapes(warnings: Iterable[Warning]) -> list[WarningShape]:
    """Return the shapes of planning's warnings."""
    return [WarningShape(patient=warning.patient, code=warning.code, message=warning.message) for warning in warnings]
