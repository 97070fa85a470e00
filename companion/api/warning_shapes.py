"""Warnings as programs read them: of plans, and of changes to what plans are made of."""

import uuid
from collections.abc import Iterable

from companion.api.values import Shape
from companion.planning.warnings import Warning


class WarningShape(Shape):
    """What to know, though it is no error."""

    patient: uuid.UUID | None
    code: str
    message: str


def warning_shapes(warnings: Iterable[Warning]) -> list[WarningShape]:
    """Planning's warnings in the form in which programs read them."""
    return [WarningShape(patient=one.patient, code=one.code, message=one.message) for one in warnings]
