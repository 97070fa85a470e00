"""Words of the planning form and its preview."""

from typing import Final

from django import template

from companion.times.walls import Moved

register = template.Library()

MOVED: Final = {
    Moved.DST_GAP: "later: the clocks skip this time",
    Moved.DST_FOLD: "the first of two: the clocks go back",
    Moved.QUIET_HOURS: "after quiet hours",
    Moved.MONTH_END: "last day of a shorter month",
    Moved.WORKING_DAY: "moved to a working day",
}
PARTS: Final = {
    "recipients": "who gets it",
    "text": "the text",
    "when": "the date and time",
    "repeat": "how it repeats",
    "ends": "its end",
    "zone": "the time zone",
    "avoid": "the days off",
    "answers": "the answers",
    "more": "the latest time to send",
    "from": "which messages change",
}


@register.filter
def moved_words(moved: str) -> str:
    """Say why a preview's time differs from the rule's time."""
    return MOVED[Moved(moved)]


@register.filter
def part_name(part: str) -> str:
    """Name a part of the planning form, for use inside a sentence."""
    return PARTS[part]
