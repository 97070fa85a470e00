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
    """The shapes of planning's warnings."""
    return [WarningShape(patient=one.patient, code=one.code, message=one.message) for one in warnings]
