"""Chips: links above a list. A chip narrows the list to one kind of row; the chosen chip shows all rows again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chip:
    """A link above a list."""

    label: str
    address: str
    current: bool
    tone: str = ""
    """The colour of the chip's dot; empty: no dot."""
    count: str = ""
    """The count in words ("1,000+"); empty if nothing was counted."""
