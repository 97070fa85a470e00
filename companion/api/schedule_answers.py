"""Schedules in the shapes of schedule_shapes.py, filled from the tables and from planning/."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final

from companion.api.message_shapes import Author
from companion.api.schedule_shapes import (
    ChangePreviewShape,
    ComingShape,
    PatientText,
    PlannedSchedule,
    PreviewShape,
    ScheduleShape,
    YearDay,
    YearShape,
)
from companion.api.warning_shapes import warning_shapes
from companion.clinics.models import Clinic
from companion.planning import drafts, series
from companion.planning.drafts import Draft
from companion.planning.edit import Planned
from companion.planning.next_instants import next_instants
from companion.planning.occurrences import Coming
from companion.planning.preview import Preview
from companion.planning.year import Year
from companion.schedules.models import Schedule
from companion.times import walls

_NEXT: Final = 5


def shapes_of(clinic: Clinic, schedules: Sequence[Schedule], *, now: dt.datetime) -> list[ScheduleShape]:
    """Return the shapes of many Schedules. Two queries read all texts and recipients."""
    by_id = drafts.of_many(clinic, schedules)
    coming = next_instants(clinic, schedules, now=now, count=_NEXT)
    return [_shape(schedule, by_id[schedule.id], coming[schedule.id]) for schedule in schedules]


def planned_of(planned: Planned, *, now: dt.datetime) -> PlannedSchedule:
    """Return the shape of a Schedule after a change."""
    shape = shapes_of(planned.schedule.clinic, [planned.schedule], now=now)[0]
    return PlannedSchedule.model_validate(
        {
            **dict(shape),
            "messages": planned.messages,
            "complete": planned.complete,
            "warnings": warning_shapes(planned.warnings),
        }
    )


def preview_of(preview: Preview) -> PreviewShape:
    """Return the shape of a preview."""
    return PreviewShape(
        occurrences=_comings(preview.occurrences),
        texts=[PatientText(patient=reader.patient.id, text=reader.text) for reader in preview.texts],
        warnings=warning_shapes(preview.warnings),
        year=_year(preview.year) if preview.year else None,
    )


def change_preview_of(preview: Preview) -> ChangePreviewShape:
    """Return the shape of the preview of a change."""
    return ChangePreviewShape(
        **dict(preview_of(preview)),
        since=walls.wall_name(preview.since) if preview.since else None,
        instead_of=_comings(preview.instead_of),
    )


def _comings(comings: Iterable[Coming]) -> list[ComingShape]:
    return [
        ComingShape(timezone=coming.timezone, due_at=coming.due_at, local=coming.local.isoformat(), moved=coming.moved)
        for coming in comings
    ]


def _year(year: Year) -> YearShape:
    days = [YearDay(date=day.date.isoformat(), moved=day.moved) for day in year.days]
    return YearShape(timezone=year.timezone, days=days)


def _shape(schedule: Schedule, draft: Draft, coming: list[dt.datetime]) -> ScheduleShape:
    """Return the fields that a program sends, and those that only a stored Schedule has."""
    return ScheduleShape.model_validate(
        {
            **drafts.values_of(draft),
            "id": schedule.id,
            "state": schedule.state,
            "summary": series.summary(schedule),
            "next": coming,
            "created_by": Author(kind=schedule.created_by_kind, name=schedule.created_by_name),
            "created_at": schedule.created_at,
        }
    )
