"""Chips: the row of links above a list, each of which narrows the list or, tapped again, widens it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chip:
    """A link of the row."""

    label: str
    address: str
    current: bool
    tone: str = ""
    """The colour of the chip's dot; empty: no dot."""
    count: str = ""
    """The count in words ("1,000+"); empty if nothing was counted."""
