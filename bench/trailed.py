"""POSTs with and without the audit trail, and entries to be chained. Called by inside.py.

The product has no switch that leaves the trail out. Here its functions are exchanged for idle functions, in this
process.
"""

import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.test import Client

from bench.inside import Figures
from companion.clinics import api_keys, audit, chain
from companion.clinics.members import command_line
from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.service.clock import database_now

_IN_A_ROW = 10


def posts(count: int) -> Figures:
    """Plan this number of messages by the API with and without the trail, in turns.

    Return the median seconds of both, and of chaining.
    """
    clinic = Clinic.objects.get()
    _, secret = api_keys.make_key(clinic, "Bench", Role.PROVIDER, now=database_now())
    program = Client(headers={"Authorization": f"Bearer {secret}", "Host": "127.0.0.1"})
    # A patient for each POST: the answer names a patient's other plans of that time, so they would count, too.
    patients = [str(patient) for patient in Patient.objects.values_list("id", flat=True)[:count]]
    chain.catch_up(clinic.pk)
    took: dict[bool, list[float]] = {True: [], False: []}
    for first in range(0, count, _IN_A_ROW):
        turn = patients[first : first + _IN_A_ROW]
        took[True] += [_post(program, patient) for patient in turn]
        with _left_out():
            took[False] += [_post(program, patient) for patient in turn]
    began = time.perf_counter()
    chain.catch_up(clinic.pk)
    chained = (time.perf_counter() - began) / len(took[True])
    return {
        "with": statistics.median(took[True]),
        "without": statistics.median(took[False]),
        "chained": chained,
    }


def entries(count: int) -> None:
    """Make this number of entries, as an import does."""
    clinic = Clinic.objects.get()
    told = {uuid.uuid4(): {"name": audit.CHANGED} for _ in range(count)}
    audit.record_many(command_line(clinic), "patient changed by an import", "patient", told, now=database_now())


def _post(program: Client, patient: str) -> float:
    body = {"patient": patient, "text": "Come at nine.", "send_at": "2095-12-01T09:00:00Z"}
    began = time.perf_counter()
    answer = program.post("/api/scheduler/messages", body, content_type="application/json")
    took = time.perf_counter() - began
    if answer.status_code != 201:
        raise RuntimeError(f"the API answered {answer.status_code}")
    return took


@contextmanager
def _left_out() -> Iterator[None]:
    kept = audit.record
    audit.record = lambda *_, **__: None
    try:
        yield
    finally:
        audit.record = kept
