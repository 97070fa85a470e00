"""What programs send and read of a Schedule. Which values can be taken is said in planning/drafts.py."""

import uuid
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr, WithJsonSchema

from companion.api.message_shapes import Author
from companion.api.paging import ListParameters, Parameters
from companion.api.values import NOT_NULL, Body, Day, Id, Instant, Line, QueryFlag, QueryNumber, Shape, Whole
from companion.api.warning_shapes import WarningShape
from companion.planning import drafts
from companion.schedules.buttons import LONGEST as LONGEST_BUTTON
from companion.schedules.buttons import MOST as MOST_BUTTONS
from companion.times.rule import MAX_COUNT, MAX_EXCEPTIONS, MAX_INTERVAL, MAX_TIMES
from companion.times.walls import Moved

_WALL = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$"
WallTime = Annotated[
    StrictStr,
    WithJsonSchema({"type": "string", "pattern": _WALL}),
]
"""A local wall time, read by the room below."""
StateName = Literal["active", "paused", "ended", "cancelled"]
MAX_PREVIEW = 400


class RecurrenceShape(Body):
    """An RFC 5545 rule in local wall time."""

    frequency: Literal["daily", "weekly", "monthly"]
    interval: Annotated[Whole, Field(ge=1, le=MAX_INTERVAL)] = 1
    weekdays: Annotated[
        list[StrictStr], Field(max_length=100, description="mo to su; in a monthly rule also like 2tu or -1fr.")
    ] = Field(default_factory=list)
    month_days: Annotated[list[Whole], Field(max_length=100, description="1 to 31, or from the end -1 to -31.")] = (
        Field(default_factory=list)
    )
    month_end: Literal["last_day", "skip"] = "last_day"
    set_position: Whole | None = None
    times: Annotated[list[StrictStr], Field(max_length=MAX_TIMES, description="Like 08:00.")] = Field(
        default_factory=list
    )
    except_: Annotated[
        list[StrictStr], Field(alias="except", max_length=MAX_EXCEPTIONS, description="Dates, or wall times.")
    ] = Field(default_factory=list, alias="except")
    until: Annotated[Day | None, Field(description="Local, inclusive.")] = None
    count: Annotated[Whole | None, Field(ge=1, le=MAX_COUNT)] = None


class AvoidShape(Body):
    """Which days are avoided: the weekends and public holidays of the clinic's country and region, its closed days."""

    weekends: StrictBool = False
    holidays: StrictBool = False
    closed_days: StrictBool = False


class ButtonShape(Body):
    """An answer button."""

    text: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_BUTTON)]
    again_after: Annotated[
        StrictStr | None, Field(description="A tap asks for the message once more, so much later: PT5M to PT24H.")
    ] = None


class _ScheduleFields(Body):
    """What a Schedule may be given beside what it needs."""

    patients: Annotated[
        list[Id] | None, Field(max_length=drafts.MOST_PATIENTS, description="Either these or a cohort.")
    ] = None
    cohort: Id | None = None
    recurrence: RecurrenceShape | None = None
    late_after: Annotated[
        StrictStr | None,
        Field(description="How late the message may be sent at most, like PT1H. By lane: PT1H, or PT12H."),
    ] = None
    quiet_hours: Annotated[Literal["wait", "ignore"] | None, Field(description="By lane: ignore, or wait.")] = None
    if_unknown: Literal["hold", "resend"] | None = None
    lane: Literal["reminder", "broadcast"] | None = None
    avoid: AvoidShape | None = None
    buttons: Annotated[
        list[ButtonShape] | None, Field(max_length=MOST_BUTTONS, description="Answers that stand under the text.")
    ] = None
    answer_within: Annotated[
        StrictStr | None,
        Field(
            description="Without an answer so long after it was sent (PT5M to P7D), one reminder goes out and the "
            "patient comes into the inbox."
        ),
    ] = None
    when_avoided: Annotated[
        Literal["skip", "next", "previous"] | None,
        Field(
            description="Left out on a day to avoid, or moved to the next or the previous working day, "
            "which is neither a weekend, nor a public holiday, nor a closed day."
        ),
    ] = None
    review_on: Annotated[Day | None, Field(description="When a person looks at a series without an end again.")] = None


class NewSchedule(_ScheduleFields):
    """What is to be sent, to whom, when."""

    text: Annotated[StrictStr, Field(min_length=1, description="As in POST /messages.")]
    starts_at: WallTime
    timezone: Annotated[Line, Field(max_length=64, description='An IANA name, or "patient" for each patient\'s own.')]


class ScheduleChanges(_ScheduleFields):
    """What is to change; what is left out stays."""

    text: Annotated[StrictStr | None, Field(min_length=1)] = None
    starts_at: WallTime | None = None
    timezone: Annotated[Line | None, Field(max_length=64)] = None
    from_: Annotated[
        WallTime | None,
        Field(
            alias="from",
            description="Change this Occurrence and those that follow: the series splits. "
            "If left out: the whole series, from now on.",
        ),
        NOT_NULL,
    ] = Field(default=None, alias="from")


class SkipWish(Body):
    """Which Occurrence is left out."""

    occurrence: WallTime


class ScheduleParameters(ListParameters):
    """Which Schedules."""

    state: StateName | None = None
    patient: Annotated[Id | None, Field(description="Only those that write to this patient, by name or cohort.")] = None
    review: Annotated[
        QueryFlag | None, Field(description="Only those without an end whose day to be looked at again has come.")
    ] = None


class PreviewParameters(Parameters):
    """How much to look ahead."""

    count: Annotated[QueryNumber, Field(ge=1, le=MAX_PREVIEW, description="How many instants for each time zone.")] = 5


class ScheduleShape(Shape):
    """What is to be sent, to whom, when."""

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
    next: Annotated[list[Instant], Field(description="The next instants, five at most.")]
    created_by: Author
    created_at: Instant


class PlannedSchedule(ScheduleShape):
    """A Schedule as it is after an act, with what came of it."""

    messages: Annotated[int, Field(description="How many messages were planned, moved or dropped by now.")]
    complete: Annotated[bool, Field(description="False while the Planner is still at it.")]
    warnings: list[WarningShape]


class ScheduleList(Shape):
    """A page of Schedules, newest first."""

    items: list[ScheduleShape]
    next: str | None


class ComingShape(Shape):
    """One instant to come."""

    timezone: str
    due_at: Instant
    local: Annotated[str, Field(description="The same on the zone's clocks, with their offset.")]
    moved: Annotated[
        Moved | None,
        Field(description="Why it is not at its nominal time."),
    ]


class PatientText(Shape):
    """The text as one patient gets it."""

    patient: uuid.UUID
    text: str


class YearDay(Shape):
    """A day on which it goes out."""

    date: str
    moved: Annotated[bool, Field(description="From its own day, to a working day or the month's last.")]


class YearShape(Shape):
    """The year at a glance: this month and the eleven after it."""

    timezone: Annotated[str, Field(description="The zone whose days these are: the first among the recipients'.")]
    days: list[YearDay]


class PreviewShape(Shape):
    """What a Schedule would do."""

    occurrences: list[ComingShape]
    texts: list[PatientText]
    warnings: list[WarningShape]
    year: YearShape | None


class ChangePreviewShape(PreviewShape):
    """What a change of a Schedule would do."""

    since: Annotated[str | None, Field(description="The wall time with which the new series of a split begins.")]
    instead_of: Annotated[list[ComingShape], Field(description="The next instants that go away.")]
