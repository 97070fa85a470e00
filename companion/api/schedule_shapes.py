"""The shapes of a Schedule that programs send and read. planning/drafts.py checks the values."""

import uuid
from typing import Annotated, Final, Literal

from pydantic import Field, StrictBool, StrictStr, WithJsonSchema

from companion.api.message_shapes import Author
from companion.api.paging import ListParameters, Parameters
from companion.api.values import NOT_NULL, Body, Day, Id, Instant, OneLine, QueryFlag, QueryNumber, Shape, Whole
from companion.api.warning_shapes import WarningShape
from companion.planning import drafts
from companion.schedules.buttons import LONGEST as LONGEST_BUTTON
from companion.schedules.buttons import MOST as MOST_BUTTONS
from companion.times.rule import MAX_COUNT, MAX_EXCEPTIONS, MAX_INTERVAL, MAX_TIMES
from companion.times.walls import Moved

_WALL: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$"
WallTime = Annotated[
    StrictStr,
    WithJsonSchema({"type": "string", "pattern": _WALL}),
]
"""A local wall time, as planning/ reads it."""
StateName = Literal["active", "paused", "ended", "cancelled"]
MAX_PREVIEW: Final = 400


class RecurrenceShape(Body):
    """A rule as in RFC 5545, in local wall time."""

    frequency: Literal["daily", "weekly", "monthly"]
    interval: Annotated[Whole, Field(ge=1, le=MAX_INTERVAL)] = 1
    weekdays: Annotated[
        list[StrictStr],
        Field(
            max_length=100,
            description="mo to su; in a monthly rule also 2tu (the second Tuesday) or -1fr (the last Friday).",
        ),
    ] = Field(default_factory=list)
    month_days: Annotated[
        list[Whole], Field(max_length=100, description="1 to 31, or -1 to -31 counted from the month's end.")
    ] = Field(default_factory=list)
    month_end: Literal["last_day", "skip"] = "last_day"
    set_position: Whole | None = None
    times: Annotated[list[StrictStr], Field(max_length=MAX_TIMES, description="Times of day, like 08:00.")] = Field(
        default_factory=list
    )
    except_: Annotated[
        list[StrictStr],
        Field(
            alias="except", max_length=MAX_EXCEPTIONS, description="Dates or wall times to leave out, like 2026-12-25."
        ),
    ] = Field(default_factory=list, alias="except")
    until: Annotated[Day | None, Field(description="The last local date, inclusive.")] = None
    count: Annotated[Whole | None, Field(ge=1, le=MAX_COUNT)] = None


class AvoidShape(Body):
    """The days to avoid: the weekends and public holidays of the clinic's country and region, and its closed days."""

    weekends: StrictBool = False
    holidays: StrictBool = False
    closed_days: StrictBool = False


class ButtonShape(Body):
    """An answer button under the message."""

    text: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_BUTTON)]
    again_after: Annotated[
        StrictStr | None,
        Field(description="After a tap, wait this long and send the message once more: PT5M to PT24H."),
    ] = None


class _ScheduleFields(Body):
    """The optional fields of a schedule."""

    patients: Annotated[
        list[Id] | None,
        Field(max_length=drafts.MOST_PATIENTS, description="The recipients; give either patients or a cohort."),
    ] = None
    cohort: Id | None = None
    recurrence: RecurrenceShape | None = None
    late_after: Annotated[
        StrictStr | None,
        Field(description="Send at most this late. Default: PT1H in the lane reminder, PT12H in the lane broadcast."),
    ] = None
    quiet_hours: Annotated[
        Literal["wait", "ignore"] | None,
        Field(description="Default: ignore in the lane reminder, wait in the lane broadcast."),
    ] = None
    if_unknown: Literal["hold", "resend"] | None = None
    lane: Literal["reminder", "broadcast"] | None = None
    avoid: AvoidShape | None = None
    buttons: Annotated[
        list[ButtonShape] | None, Field(max_length=MOST_BUTTONS, description="Answer buttons under the text.")
    ] = None
    answer_within: Annotated[
        StrictStr | None,
        Field(
            description="Wait this long for an answer (PT5M to P7D). If none comes, one reminder goes out and the "
            "conversation is shown in the inbox."
        ),
    ] = None
    when_avoided: Annotated[
        Literal["skip", "next", "previous"] | None,
        Field(
            description="On a day to avoid: skip the message, or move it to the next or the previous working day. A "
            "working day is no weekend, no public holiday and no closed day."
        ),
    ] = None
    review_on: Annotated[
        Day | None, Field(description="The day on which a person reviews a series without an end.")
    ] = None


class NewSchedule(_ScheduleFields):
    """A schedule to plan: the text, the recipients, and the times."""

    text: Annotated[StrictStr, Field(min_length=1, description="Plain text with placeholders, as in POST /messages.")]
    starts_at: WallTime
    timezone: Annotated[
        OneLine, Field(max_length=64, description='An IANA name, or "patient" for each patient\'s own.')
    ]


class ScheduleChanges(_ScheduleFields):
    """Changes to a schedule. A field that is left out stays as it is; null resets an optional field to its default."""

    text: Annotated[StrictStr | None, Field(min_length=1)] = None
    starts_at: WallTime | None = None
    timezone: Annotated[OneLine | None, Field(max_length=64)] = None
    from_: Annotated[
        WallTime | None,
        Field(
            alias="from",
            description="Change this occurrence and those that follow; they become a new series. If left out: change "
            "the whole series, from now on.",
        ),
        NOT_NULL,
    ] = Field(default=None, alias="from")


class SkipWish(Body):
    """The occurrence to skip."""

    occurrence: WallTime


class ScheduleParameters(ListParameters):
    """The filter for schedules."""

    state: StateName | None = None
    patient: Annotated[
        Id | None, Field(description="Only schedules for this patient, or for a cohort with this patient.")
    ] = None
    review: Annotated[
        QueryFlag | None,
        Field(description="true: only series without an end that are due for review; false: only the others."),
    ] = None


class PreviewParameters(Parameters):
    """The length of a preview."""

    count: Annotated[
        QueryNumber, Field(ge=1, le=MAX_PREVIEW, description="The number of instants in each time zone.")
    ] = 5


class ScheduleShape(Shape):
    """A schedule: the text, the recipients, and the times."""

    kind_of_object = "schedule"
    id: uuid.UUID
    state: StateName
    text: str
    patients: list[uuid.UUID] | None
    cohort: uuid.UUID | None
    starts_at: str
    timezone: str
    recurrence: RecurrenceShape | None
    late_after: str
    quiet_hours: Literal["wait", "ignore"]
    if_unknown: Literal["hold", "resend"]
    lane: str
    avoid: AvoidShape
    when_avoided: Literal["skip", "next", "previous"]
    review_on: str | None
    buttons: list[ButtonShape] | None
    answer_within: str | None
    summary: str
    next: Annotated[list[Instant], Field(description="The next instants, at most five.")]
    created_by: Author
    created_at: Instant


class PlannedSchedule(ScheduleShape):
    """A schedule after a change, with the effect on its messages."""

    messages: Annotated[int, Field(description="The number of messages that were planned, moved or removed.")]
    complete: Annotated[bool, Field(description="false: the Planner is still working on this change.")]
    warnings: list[WarningShape]


class ScheduleList(Shape):
    """A page of Schedules, newest first."""

    items: list[ScheduleShape]
    next: str | None


class ComingShape(Shape):
    """An instant at which messages will go out."""

    timezone: str
    due_at: Instant
    local: Annotated[str, Field(description="The same instant in this time zone, with its offset.")]
    moved: Annotated[
        Moved | None,
        Field(description="Why the message goes out at another time than its nominal time."),
    ]


class PatientText(Shape):
    """The text as one patient will read it."""

    patient: uuid.UUID
    text: str


class YearDay(Shape):
    """A day on which messages will go out."""

    date: str
    moved: Annotated[
        bool,
        Field(
            description="true: moved to this day, because its own day is to be avoided or the month has no such day."
        ),
    ]


class YearShape(Shape):
    """The days of this month and the next eleven on which messages will go out."""

    timezone: Annotated[str, Field(description="The time zone of these days: the first of the recipients' zones.")]
    days: list[YearDay]


class PreviewShape(Shape):
    """The effect of planning a schedule."""

    occurrences: list[ComingShape]
    texts: list[PatientText]
    warnings: list[WarningShape]
    year: YearShape | None


class ChangePreviewShape(PreviewShape):
    """The effect of changing a schedule."""

    since: Annotated[str | None, Field(description="The wall time at which the new series of a split begins.")]
    instead_of: Annotated[
        list[ComingShape], Field(description="The next instants at which no message will go out any more.")
    ]
