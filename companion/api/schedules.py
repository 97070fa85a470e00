"""Schedules: plan, preview, change, pause, resume, cancel, skip. The rules are in planning/."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router

from companion.api.examples import schedules as examples
from companion.api.operations import JSON, Operation, act, caller_of, operation
from companion.api.paging import cursor_of, read_cursor
from companion.api.schedule_answers import change_preview_of, planned_of, preview_of, shapes_of
from companion.api.schedule_shapes import (
    ChangePreviewShape,
    NewSchedule,
    PlannedSchedule,
    PreviewParameters,
    PreviewShape,
    ScheduleChanges,
    ScheduleList,
    ScheduleParameters,
    ScheduleShape,
    SkipWish,
)
from companion.api.values import NoBody
from companion.clinics.models import Role
from companion.patients import queries as patients
from companion.planning import drafts, edit, taking_back
from companion.planning.preview import preview, preview_of_change
from companion.schedules import queries
from companion.schedules.models import Schedule
from companion.service.clock import database_now
from companion.times.walls import local

router = Router(tags=["schedules"])
_ONE: Final = "/schedules/{id}"
_LIST: Final = "schedules"


def _act(path: str, body_example: object) -> Operation:
    return act(f"{_ONE}/{path}", PlannedSchedule, examples.PLANNED, body_example=body_example, role=Role.PROVIDER)


@operation(
    router,
    Operation(
        "POST",
        "/schedules",
        Role.PROVIDER,
        PlannedSchedule,
        examples.PLANNED,
        body_example=examples.NEW_SCHEDULE,
        media_type=JSON,
        creates=True,
        location="read_schedule",
    ),
)
def create_schedule(request: HttpRequest, body: NewSchedule) -> PlannedSchedule:
    """Plan a message that goes out once or repeatedly."""
    caller, now = caller_of(request), database_now()
    draft = drafts.read(caller.clinic, body.given(), now=now)
    return planned_of(edit.create(caller, draft, now=now), now=now)


@operation(
    router,
    Operation(
        "POST",
        "/schedules/preview",
        Role.VIEWER,
        PreviewShape,
        examples.PREVIEW,
        body_example=examples.NEW_SCHEDULE,
        media_type=JSON,
        query=PreviewParameters,
    ),
)
def preview_schedule(request: HttpRequest, body: NewSchedule, query: Query[PreviewParameters]) -> PreviewShape:
    """Preview a schedule: the next instants, the texts, the warnings. Nothing is stored."""
    clinic, now = caller_of(request).clinic, database_now()
    return preview_of(preview(clinic, drafts.read(clinic, body.given(), now=now), now=now, count=query.count))


@operation(
    router,
    Operation(
        "POST",
        f"{_ONE}/preview",
        Role.VIEWER,
        ChangePreviewShape,
        examples.CHANGE_PREVIEW,
        body_example=examples.SCHEDULE_CHANGES,
        media_type=JSON,
        query=PreviewParameters,
    ),
)
def preview_change(
    request: HttpRequest, id: UUID, body: ScheduleChanges, query: Query[PreviewParameters]
) -> ChangePreviewShape:
    """Preview a change: the instants that come, the instants that go, the warnings. Nothing is stored."""
    clinic, now = caller_of(request).clinic, database_now()
    schedule = queries.schedule(clinic, id)
    draft = drafts.read(clinic, _overlaid(schedule, body), now=now)
    return change_preview_of(preview_of_change(schedule, draft, body.from_, now=now, count=query.count))


@operation(
    router,
    Operation(
        "GET",
        "/schedules",
        Role.VIEWER,
        ScheduleList,
        examples.SCHEDULES,
        query=ScheduleParameters,
        refuses=frozenset({404}),
    ),
)
def list_schedules(request: HttpRequest, query: Query[ScheduleParameters]) -> ScheduleList:
    """List schedules, newest first."""
    clinic = caller_of(request).clinic
    schedules = queries.schedules(clinic, query.state or "")
    if query.patient:
        schedules = schedules.filter(pk__in=queries.schedules_for(patients.patient(clinic, query.patient)).values("pk"))
    if query.review:
        today = local(database_now(), clinic.timezone).date()
        schedules = schedules.filter(pk__in=queries.to_review(clinic, today).values("pk"))
    if query.cursor:
        schedules = schedules.filter(id__lt=UUID(read_cursor(_LIST, query.cursor)))
    rows = list(schedules[: query.limit + 1])
    items = rows[: query.limit]
    after = cursor_of(_LIST, str(items[-1].id)) if len(rows) > query.limit else None
    return ScheduleList(items=shapes_of(clinic, items, now=database_now()), next=after)


@operation(router, Operation("GET", _ONE, Role.VIEWER, ScheduleShape, examples.SCHEDULE))
def read_schedule(request: HttpRequest, id: UUID) -> ScheduleShape:
    """Read one schedule."""
    clinic = caller_of(request).clinic
    return shapes_of(clinic, [queries.schedule(clinic, id)], now=database_now())[0]


@operation(
    router,
    Operation(
        "PATCH",
        _ONE,
        Role.PROVIDER,
        PlannedSchedule,
        examples.PLANNED,
        body_example=examples.SCHEDULE_CHANGES,
        media_type=JSON,
        refuses=frozenset({409}),
    ),
)
def change_schedule(request: HttpRequest, id: UUID, body: ScheduleChanges) -> PlannedSchedule:
    """Change a schedule: the whole series from now on or, with `from`, one occurrence and those that follow."""
    caller, now = caller_of(request), database_now()
    schedule = queries.schedule(caller.clinic, id)
    draft = drafts.read(caller.clinic, _overlaid(schedule, body), now=now)
    return planned_of(edit.change(caller, schedule, draft, from_occurrence=body.from_, now=now), now=now)


@operation(router, _act("pause", {}))
def pause_schedule(request: HttpRequest, id: UUID, body: NoBody = None) -> PlannedSchedule:
    """Pause a schedule. Messages that are missed during the pause aren't sent later."""
    caller, now = caller_of(request), database_now()
    return planned_of(edit.pause(caller, queries.schedule(caller.clinic, id), now=now), now=now)


@operation(router, _act("resume", {}))
def resume_schedule(request: HttpRequest, id: UUID, body: NoBody = None) -> PlannedSchedule:
    """Resume a paused schedule. Sending goes on with the next occurrence."""
    caller, now = caller_of(request), database_now()
    return planned_of(edit.resume(caller, queries.schedule(caller.clinic, id), now=now), now=now)


@operation(router, _act("cancel", {}))
def cancel_schedule(request: HttpRequest, id: UUID, body: NoBody = None) -> PlannedSchedule:
    """End a schedule for good. Its pending messages are cancelled."""
    caller, now = caller_of(request), database_now()
    return planned_of(edit.cancel(caller, queries.schedule(caller.clinic, id), now=now), now=now)


@operation(router, _act("undo", {}))
def undo_cancel_schedule(request: HttpRequest, id: UUID, body: NoBody = None) -> PlannedSchedule:
    """Undo a cancel within ten seconds, also for the messages that were cancelled with the schedule."""
    caller, now = caller_of(request), database_now()
    return planned_of(taking_back.undo_end(caller, queries.schedule(caller.clinic, id), now=now), now=now)


@operation(router, _act("occurrences/{occurrence}/skip", {}))
def skip_one_occurrence(request: HttpRequest, id: UUID, occurrence: str, body: NoBody = None) -> PlannedSchedule:
    """Skip one occurrence of a series."""
    caller, now = caller_of(request), database_now()
    return planned_of(edit.skip(caller, queries.schedule(caller.clinic, id), occurrence, now=now), now=now)


@operation(router, _act("occurrences/{occurrence}/unskip", {}))
def unskip_occurrence(request: HttpRequest, id: UUID, occurrence: str, body: NoBody = None) -> PlannedSchedule:
    """Undo the skip of an occurrence, while the occurrence is in the future."""
    caller, now = caller_of(request), database_now()
    return planned_of(taking_back.unskip(caller, queries.schedule(caller.clinic, id), occurrence, now=now), now=now)


@operation(router, _act("skip", examples.SKIP))
def skip_occurrence(request: HttpRequest, id: UUID, body: SkipWish) -> PlannedSchedule:
    """Skip one occurrence of a series."""
    caller, now = caller_of(request), database_now()
    return planned_of(edit.skip(caller, queries.schedule(caller.clinic, id), body.occurrence, now=now), now=now)


def _overlaid(schedule: Schedule, body: ScheduleChanges) -> dict[str, object]:
    """Return the fields of the Schedule, with the values of the body in place of those that it changes."""
    changes = body.given()
    changes.pop("from", None)
    if changes.get("patients") is not None:
        changes.setdefault("cohort", None)
    if changes.get("cohort") is not None:
        changes.setdefault("patients", None)
    present = drafts.values_of(drafts.of(schedule))
    rule, present_rule = changes.get("recurrence"), present["recurrence"]
    if isinstance(rule, dict) and isinstance(present_rule, dict):
        # Skipped occurrences stay skipped, unless the body has the field `except`.
        changes["recurrence"] = {"except": present_rule["except"]} | rule
    return present | changes
