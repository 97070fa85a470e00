"""Planning a large cohort, and writing the same rows down barely. Called by inside.py."""

import datetime as dt
import resource
import time

from django.db import connection, transaction

from bench import rows
from bench.inside import Figures
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.patients.models import Cohort, CohortMember, Patient
from companion.planning import drafts, edit, planner
from companion.schedules.models import Message


def plan(patients: int) -> Figures:
    """Makes a daily Schedule for a cohort of so many patients and plans it up to the horizon of two days."""
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
    caller = Caller(clinic, "member", clinic.id, "Bench", Role.PROVIDER)
    tomorrow = (now + dt.timedelta(hours=6)).replace(tzinfo=None, second=0, microsecond=0)
    values: dict[str, object] = {
        "cohort": str(cohort.id),
        "text": rows.TEXT,
        "starts_at": tomorrow.isoformat(timespec="minutes"),
        "timezone": "UTC",
        "recurrence": {"frequency": "daily"},
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    made = edit.create(caller, drafts.read(clinic, values, now=now), now=now)
    planner.plan_ahead(made.schedule.id, now=now)
    seconds = time.perf_counter() - began
    count = Message.objects.count()
    if count != 2 * patients:
        raise RuntimeError(f"{count} messages were planned for {patients} patients")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"messages": count, "seconds": seconds, "grown_megabytes": grown / 1024}


def bare() -> Figures:
    """Takes the planned rows out and writes them again by one executemany in one transaction."""
    columns = [str(field.column) for field in Message._meta.local_concrete_fields]
    names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {names} FROM schedules_message ORDER BY id")
        found = cursor.fetchall()
        cursor.execute("DELETE FROM schedules_message")
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO schedules_message ({names}) VALUES ({places})", found)
    return {"messages": len(found), "seconds": time.perf_counter() - began}
