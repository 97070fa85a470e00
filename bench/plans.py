"""Plan a large cohort and replan it, by the product and by bare loops. Called by inside.py."""

import datetime as dt
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, rrule
from django.db import connection, transaction

from bench import rows
from bench.inside import Figures
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.patients.models import Cohort, CohortMember, Patient
from companion.planning import drafts, edit, marks, planner
from companion.schedules.models import Message, Schedule, State

BEFORE, AFTER = "Europe/Berlin", "Europe/London"
"""The zone in which the cohort is planned, and the zone to which it changes: each Message moves by an hour."""


class _Turns:
    """The process's turns at the database's only writer, as in the dispatcher, and the longest of them."""

    longest = 0.0

    @contextmanager
    def __call__(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.longest = max(self.longest, time.perf_counter() - began)


def plan(patients: int) -> Figures:
    """Make a daily Schedule for a cohort of this size, and plan it up to the horizon of two days."""
    rows.fill_patients(patients)
    clinic = Clinic.objects.get()
    now = dt.datetime.now(dt.UTC)
    cohort = Cohort.objects.create(clinic=clinic, name="Everybody", created_at=now)
    CohortMember.objects.bulk_create(
        (
            CohortMember(clinic=clinic, cohort=cohort, patient_id=patient)
            for patient in Patient.objects.order_by("id").values_list("id", flat=True)
        ),
        batch_size=5000,
    )
    rows.analysed()
    start = (now + dt.timedelta(hours=6)).astimezone(ZoneInfo(BEFORE))
    values: dict[str, object] = {
        "cohort": str(cohort.id),
        "text": rows.TEXT,
        "starts_at": f"{start:%Y-%m-%dT%H:%M}",
        "timezone": BEFORE,
        "recurrence": {"frequency": "daily"},
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    turns = _Turns()
    began = time.perf_counter()
    made = edit.create(_caller(clinic), drafts.read(clinic, values, now=now), now=now)
    planner.plan_ahead(made.schedule.id, now=now, turn=turns)
    seconds = time.perf_counter() - began
    count = Message.objects.count()
    if count != 2 * patients:
        raise RuntimeError(f"{count} messages were planned for {patients} patients")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"messages": count, "seconds": seconds, "longest": turns.longest, "grown_megabytes": grown / 1024}


def replan() -> Figures:
    """Change the zone of that Schedule, and work its Mark off as the Planner does."""
    _settle()
    clinic, schedule, now = Clinic.objects.get(), _schedule(), dt.datetime.now(dt.UTC)
    draft = drafts.read(clinic, drafts.values_of(drafts.of(schedule)) | {"timezone": AFTER}, now=now)
    turns = _Turns()
    began = time.perf_counter()
    edit.change(_caller(clinic), schedule, draft, from_occurrence=None, now=now)
    moved = sum(marks.work_off([mark], now=now, turn=turns).moved for mark in marks.oldest())
    seconds = time.perf_counter() - began
    if moved != Message.objects.count():
        raise RuntimeError(f"{moved} messages were moved of {Message.objects.count()}")
    return {"messages": moved, "seconds": seconds, "longest": turns.longest}


def bare() -> Figures:
    """Remove the planned rows, and write them again by one executemany in one transaction."""
    names, found = _taken_out()
    began = time.perf_counter()
    _insert(names, found)
    return {"messages": len(found), "seconds": time.perf_counter() - began}


def dateutil_plan() -> Figures:
    """Make the same rows by a bare loop: python-dateutil gives each patient's instants, one executemany writes them."""
    names, found = _taken_out()
    due, ready, late = (names.index(name) for name in ("due_at", "ready_at", "late_at"))
    start = _start()
    until = start + dt.timedelta(hours=42)
    began = time.perf_counter()
    made = []
    for at in range(0, len(found), 2):
        wanted = rrule(DAILY, dtstart=start.replace(tzinfo=None)).between(
            start.replace(tzinfo=None), until.replace(tzinfo=None), inc=True
        )
        for row, wall in zip(found[at : at + 2], wanted, strict=True):
            values = list(row)
            instant = wall.replace(tzinfo=start.tzinfo).astimezone(dt.UTC)
            values[due], values[ready], values[late] = instant, instant, instant + dt.timedelta(hours=1)
            made.append(tuple(values))
    _insert(names, made)
    return {"messages": len(made), "seconds": time.perf_counter() - began}


def dateutil_replan() -> Figures:
    """Move the rows by a bare loop: read all, compute their instants by python-dateutil, write by one executemany."""
    _settle()
    start = _start()
    until = start + dt.timedelta(hours=42)
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id, patient_id FROM schedules_message ORDER BY patient_id, occurrence")
        found = cursor.fetchall()
        made = []
        for at in range(0, len(found), 2):
            wanted = rrule(DAILY, dtstart=start.replace(tzinfo=None)).between(
                start.replace(tzinfo=None), until.replace(tzinfo=None), inc=True
            )
            for (message, _), wall in zip(found[at : at + 2], wanted, strict=True):
                instant = wall.replace(tzinfo=ZoneInfo(AFTER)).astimezone(dt.UTC)
                made.append((instant, instant, instant + dt.timedelta(hours=1), message))
        cursor.executemany("UPDATE schedules_message SET due_at = %s, ready_at = %s, late_at = %s WHERE id = %s", made)
    return {"messages": len(made), "seconds": time.perf_counter() - began}


def sleeping(schedules: int) -> None:
    """Make this many daily Schedules whose next planning is days ahead."""
    clinic, now = Clinic.objects.get(), dt.datetime.now(dt.UTC)
    Schedule.objects.bulk_create(
        (
            Schedule(
                clinic=clinic, starts_at="2026-12-01T09:00", timezone=BEFORE, recurrence={"frequency": "daily"},
                late_after=dt.timedelta(hours=1), created_by_kind="member", created_by_name="Bench", created_at=now,
                state=State.ACTIVE, planned_until=now, next_plan_at=now + dt.timedelta(days=1, seconds=number),
            )
            for number in range(schedules)
        ),
        batch_size=5000,
    )  # fmt: skip


def _caller(clinic: Clinic) -> Caller:
    return Caller(clinic, "member", clinic.id, "Bench", Role.PROVIDER)


def _schedule() -> Schedule:
    return Schedule.objects.filter(state=State.ACTIVE).get()


def _start() -> dt.datetime:
    return dt.datetime.fromisoformat(_schedule().starts_at).replace(tzinfo=ZoneInfo(BEFORE))


def _taken_out() -> tuple[list[str], list[tuple[object, ...]]]:
    """Remove the planned rows, and return them with the names of their columns."""
    _settle()
    names = [str(field.column) for field in Message._meta.local_concrete_fields]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM schedules_message ORDER BY patient_id, occurrence")
        found = cursor.fetchall()
        cursor.execute("DELETE FROM schedules_message")
    _settle()
    return names, found


def _settle() -> None:
    """Vacuum after the previous measurement, as PostgreSQL does by itself within a minute."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE schedules_message")


def _insert(names: list[str], found: list[tuple[object, ...]]) -> None:
    marks = ", ".join(["%s"] * len(names))
    with transaction.atomic(), connection.cursor() as cursor:
        statement = f"INSERT INTO schedules_message ({', '.join(names)}) VALUES ({marks})"
        cursor.executemany(statement, found)  # type: ignore[arg-type]  # as they were read
