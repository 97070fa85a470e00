"""An import of a CSV file by the product and by a bare loop, and a sync. Called by inside.py."""

import csv
import datetime as dt
import resource
import time
from itertools import islice
from pathlib import Path

from django.db import connection, transaction

from bench.inside import Figures
from companion.clinics.access import Caller
from companion.clinics.ids import new_id
from companion.clinics.models import Clinic, Role
from companion.patients.importing import import_csv
from companion.patients.models import Cohort, CohortMember, Patient
from companion.patients.sources import configuration, sync
from companion.schedules import sql

_INSERT = """
INSERT INTO patients_patient (id, clinic_id, external_id, name, search, phone, telegram_id, caregiver, timezone,
    language, consent, consent_before_stop, trouble, birth_date, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, '', %s, %s, 'unknown', '', '', %s, %s)
"""
_MEMBERS = "INSERT INTO patients_cohortmember (id, clinic_id, cohort_id, patient_id) VALUES (%s, %s, %s, %s)"
_BATCH = 1000


def take(file: str, added: int) -> Figures:
    """Import the file. Raises RuntimeError unless this number of patients was new."""
    clinic = Clinic.objects.get()
    caller = Caller(clinic, "member", clinic.id, "Bench", Role.PROVIDER)
    before, began = _peak(), time.perf_counter()
    with Path(file).open("rb") as opened:
        report = import_csv(caller, opened, now=dt.datetime.now(dt.UTC))
    seconds = time.perf_counter() - began
    if report.added != added or report.refused:
        raise RuntimeError(f"{report.added} were added, {len(report.refused)} refused")
    return {"seconds": seconds, "grown_megabytes": _peak() - before}


_MAPPING = """
table = "people"
[columns]
external_id = "mrn"
name = "full_name"
telegram_id = "telegram"
cohorts = "wards"
"""


def fetch(file: str, added: int) -> Figures:
    """Sync with this SQLite database. Raises RuntimeError unless this number of patients was new."""
    clinic = Clinic.objects.get()
    now = dt.datetime.now(dt.UTC)
    configuration.set_sql(
        Caller(clinic, "member", clinic.id, "Bench", Role.ADMIN), f"sqlite:///{file}", _MAPPING, now=now
    )
    before, began = _peak(), time.perf_counter()
    run = sync.sync(clinic, clock=lambda: dt.datetime.now(dt.UTC))
    seconds = time.perf_counter() - began
    if run.added != added or run.refused or run.detail:
        raise RuntimeError(f"{run.added} were added, {run.refused} refused. {run.detail}")
    return {"seconds": seconds, "grown_megabytes": _peak() - before}


def bare(file: str) -> Figures:
    """Store the same rows and cohorts by csv.reader and executemany, in batches of the same size, without checks; then
    remove them."""
    clinic = Clinic.objects.get()
    before, began = _peak(), time.perf_counter()
    cohorts: dict[str, object] = {}
    with Path(file).open(newline="", encoding="utf-8") as opened:
        rows = csv.reader(opened)
        next(rows)
        while batch := list(islice(rows, _BATCH)):
            with transaction.atomic(), connection.cursor() as cursor:
                patients: list[sql.Parameters] = []
                members: list[sql.Parameters] = []
                now = sql.as_stored(dt.datetime.now(dt.UTC))
                for external_id, name, telegram_id, born, phone, zone, language, names in batch:
                    key = sql.as_stored(new_id())
                    found = f"{name} {external_id}".casefold()
                    values = (external_id, name, found, phone, int(telegram_id), zone, language, born, now)
                    patients.append((key, sql.as_stored(clinic.id), *values))
                    for cohort in names.split("|"):
                        if cohort not in cohorts:
                            made = Cohort.objects.create(clinic=clinic, name=cohort, created_at=dt.datetime.now(dt.UTC))
                            cohorts[cohort] = sql.as_stored(made.id)
                        members.append((sql.as_stored(new_id()), sql.as_stored(clinic.id), cohorts[cohort], key))
                cursor.executemany(_INSERT, patients)
                cursor.executemany(_MEMBERS, members)
    figures = {"seconds": time.perf_counter() - began, "grown_megabytes": _peak() - before}
    for model in (CohortMember, Patient, Cohort):
        model.objects.all().delete()
    return figures


def _peak() -> float:
    """The largest memory of this process so far, in megabytes (getrusage(2) counts kilobytes on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
