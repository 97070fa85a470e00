"""A Schedule as programs read it, made out of the rows and of what planning says of them."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from companion.api.message_shapes import Author
from companion.api.schedule_shapes import (
    AvoidShape,
    ChangePreviewShape,
    ComingShape,
    PatientText,
    PlannedSchedule,
    PreviewShape,
    RecurrenceShape,
    ScheduleShape,
    YearDay,
    YearShape,
)
from companion.api.warning_shapes import warning_shapes
from companion.clinics.models import Clinic
from companion.planning import drafts, series
from companion.planning.edit import Planned
from companion.planning.next_instants import next_instants
from companion.planning.occurrences import Coming
from companion.planning.preview import Preview
from companion.planning.year import Year
from companion.schedules import buttons
from companion.schedules.models import Lane, Recipient, Schedule, Version
from companion.times import walls

_NEXT = 5


def shapes_of(clinic: Clinic, schedules: Sequence[Schedule], *, now: dt.datetime) -> list[ScheduleShape]:
    """Many at once; their texts and recipients are two queries, however many they are."""
    ids = [schedule.id for schedule in schedules]
    newest = {
        version.schedule_id: version
        for version in Version.objects.filter(clinic=clinic, schedule_id__in=ids).order_by("number")
    }
    named: dict[uuid.UUID, list[uuid.UUID]] = {}
    recipients = Recipient.objects.filter(clinic=clinic, schedule_id__in=ids).order_by("id")
    for schedule_id, patient_id in recipients.values_list("schedule_id", "patient_id"):
        named.setdefault(schedule_id, []).append(patient_id)
    coming = next_instants(clinic, schedules, now=now, count=_NEXT)
    return [
        ScheduleShape.model_validate(
            _values(schedule, newest.get(schedule.id), named.get(schedule.id, []), coming[schedule.id])
        )
        for schedule in schedules
    ]


def planned_of(planned: Planned, *, now: dt.datetime) -> PlannedSchedule:
    """The Schedule as it then is, and what came of the act."""
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
    """What a Schedule would do."""
    return PreviewShape(
        occurrences=_comings(preview.occurrences),
        texts=[PatientText(patient=one.patient.id, text=one.text) for one in preview.texts],
        warnings=warning_shapes(preview.warnings),
        year=_year(preview.year) if preview.year else None,
    )


def change_preview_of(preview: Preview) -> ChangePreviewShape:
    """What a change of a Schedule would do."""
    return ChangePreviewShape(
        **dict(preview_of(preview)),
        since=walls.wall_name(preview.since) if preview.since else None,
        instead_of=_comings(preview.instead_of),
    )


def _comings(comings: Iterable[Coming]) -> list[ComingShape]:
    return [
        ComingShape(timezone=one.timezone, due_at=one.due_at, local=one.local.isoformat(), moved=one.moved)
        for one in comings
    ]


def _year(year: Year) -> YearShape:
    days = [YearDay(date=day.date.isoformat(), moved=day.moved) for day in year.days]
    return YearShape(timezone=year.timezone, days=days)


def _values(
    schedule: Schedule, version: Version | None, patients: list[uuid.UUID], coming: list[dt.datetime]
) -> dict[str, object]:
    return {
        "id": schedule.id,
        "state": schedule.state,
        "text": version.text if version else "",
        "buttons": drafts.buttons_json(buttons.read(version.buttons)) if version else None,
        "answer_within": drafts.duration_text(schedule.answer_within) if schedule.answer_within else None,
        "patients": None if schedule.cohort_id else patients,
        "cohort": schedule.cohort_id,
        "starts_at": schedule.starts_at,
        "timezone": schedule.timezone,
        "recurrence": RecurrenceShape.model_validate(schedule.recurrence) if schedule.recurrence else None,
        "late_after": drafts.duration_text(schedule.late_after),
        "quiet_hours": schedule.quiet_hours,
        "if_unknown": schedule.if_unknown,
        "lane": Lane(schedule.lane).label,
        "avoid": AvoidShape(**asdict(drafts.avoid_of(schedule))),
        "when_avoided": schedule.when_avoided,
        "review_on": schedule.review_on.isoformat() if schedule.review_on else None,
        "summary": series.summary(schedule),
        "next": coming,
        "created_by": Author(kind=schedule.created_by_kind, name=schedule.created_by_name),
        "created_at": schedule.created_at,
    }
