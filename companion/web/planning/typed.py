"""The planning form as it was typed: the text in each field. form.py and rule.py give the texts their meaning."""

from dataclasses import dataclass, fields
from typing import Final, NamedTuple, Self

from django.http import QueryDict

from companion.schedules.buttons import MOST as MOST_BUTTONS
from companion.schedules.text import as_typed

FREE_BUTTONS: Final = 3
"""The number of empty lines for more buttons."""
_LISTS: Final = ("patients", "weekdays", "avoid", "button", "again")


LABELS: Final = {
    "recipients": "Who gets it",
    "text": "Text",
    "date": "Date",
    "time": "Time",
    "zone": "Time zone",
    "repeat": "Repeat",
    "ends": "Until when",
    "avoid": "Days off",
    "answers": "Answers",
    "late_after": "Latest time to send",
    "quiet_hours": "Quiet hours",
    "if_unknown": "If delivery is uncertain",
    "lane": "Priority",
    "left_out": "Left out",
    "state": "State",
}
"""The names of the form's parts for people. conflicts.py lists the fields of parts with several fields."""


class TypedButton(NamedTuple):
    """A button: its words, and the time after which a tap brings the message again. Empty: the tap is an answer."""

    text: str
    again: str


@dataclass(frozen=True, slots=True)
class Typed:
    """The texts in the fields of the planning form."""

    to: str = "patients"
    patients: tuple[str, ...] = ()
    cohort: str = ""
    find: str = ""
    text: str = ""
    date: str = ""
    time: str = ""
    repeat: str = ""
    interval: str = "1"
    weekdays: tuple[str, ...] = ()
    also_at: str = ""
    monthly_on: str = "day"
    monthly_shown: str = ""
    """The fields for the days of a month as the page showed them; empty once a person has chosen by a radio button."""
    month_days: str = ""
    month_end: str = "last_day"
    nth: str = "1"
    nth_day: str = "mo"
    ends: str = "never"
    until: str = ""
    count: str = "10"
    review_on: str = ""
    zone: str = "patient"
    zone_name: str = ""
    lane: str = "reminder"
    late_after: str = ""
    quiet_hours: str = ""
    if_unknown: str = "hold"
    avoid: tuple[str, ...] = ()
    when_avoided: str = "skip"
    from_occurrence: str = ""
    button: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    """The time of each button after which a tap brings the message again; empty if the tap is an answer."""
    answer_within: str = ""
    shown: str = ""
    """The values that the form showed when it was opened, if it edits a series (conflicts.py)."""

    @property
    def monthly_fields(self) -> str:
        """Write the shown fields for the days of a month: the next request compares them to find what was changed."""
        return "|".join([self.monthly_on or "day", self.nth, self.nth_day, self.month_days.strip()])

    @property
    def typed_buttons(self) -> list[TypedButton]:
        """List the buttons with the effect of a tap, and empty lines for more buttons."""
        typed = [TypedButton(text, again) for text, again in zip(self.button, self.again, strict=False) if text.strip()]
        return (typed + [TypedButton("", "")] * FREE_BUTTONS)[: max(MOST_BUTTONS, len(typed))]

    @classmethod
    def from_post(cls, post: QueryDict) -> Self:
        """Read the form from the request. A missing field counts as empty."""
        values: dict[str, str | tuple[str, ...]] = {
            field.name: tuple(post.getlist(field.name)) if field.name in _LISTS else post.get(field.name, "")
            for field in fields(cls)
        }
        values["monthly_on"] = _monthly_on(post)
        values["text"] = as_typed(str(values["text"]))
        return cls(**values)  # type: ignore[arg-type]  # the keys are the names of the fields


def _monthly_on(post: QueryDict) -> str:
    """Find the chosen kind of days of the month. Changing the fields of a choice chooses it, also without script."""
    chosen = post.get("monthly_on") or "day"
    shown = post.get("monthly_shown", Typed().monthly_fields).split("|", maxsplit=3)
    if len(shown) < 4 or chosen != shown[0]:
        return chosen
    _, nth, nth_day, days = shown
    if (typed := post.get("month_days", "").strip()) and typed != days:
        return "days"
    return "weekday" if (post.get("nth", nth), post.get("nth_day", nth_day)) != (nth, nth_day) else chosen
