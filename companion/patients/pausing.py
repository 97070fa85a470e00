"""A patient's pause ("in hospital until 3 March"): no message goes out until that day begins on the patient's clock.

Not here: removing planned Messages (planning/replan.py, by the Mark) and holding back the rest (delivery/verdict.py).
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from django.db import transaction

from companion.clinics import audit, marks
from companion.clinics.access import Caller
from companion.clinics.models import MarkKind, Role
from companion.clinics.refusals import Conflict, Problem, Refused
from companion.patients.models import Patient
from companion.service.wake import ring
from companion.times.walls import local, resolve

LONGEST: Final = dt.timedelta(days=731)
_REASON_LENGTH: Final = 200
_AUDITED: Final = ("paused_until", "paused_reason")


def pause(caller: Caller, patient: Patient, until: dt.date, reason: str, *, now: dt.datetime) -> Patient:
    """Pause the patient until the day `until`; then messages are sent again. Raises Refused."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        current = _locked(caller, patient)
        today = local(now, current.timezone).date()
        problems = []
        if not today < until <= today + LONGEST:
            problems.append(Problem("paused_until", "Choose a day from tomorrow on, within two years."))
        problems += reason_problems(reason)
        if problems:
            raise Refused(*problems)
        return _set(caller, current, until, reason.strip(), "patient paused", now)


def reason_problems(reason: str) -> list[Problem]:
    """The problems of a reason for a pause."""
    if reason.strip() and len(reason) <= _REASON_LENGTH and reason.isprintable():
        return []
    return [Problem("paused_reason", f"Say why, in one line of at most {_REASON_LENGTH} characters.")]


def resume(caller: Caller, patient: Patient, *, now: dt.datetime) -> Patient:
    """End the pause. Messages that were skipped are not sent later. Raises Conflict if there is no pause."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        current = _locked(caller, patient)
        if current.paused_until is None:
            raise Conflict("This patient is not on pause.")
        return _set(caller, current, None, "", "patient resumed", now)


def change(caller: Caller, patient: Patient, values: Mapping[str, object], *, now: dt.datetime) -> Patient:
    """Pause or resume by the API's fields: `paused_until` (a date, or null to resume) and `paused_reason`. Raises
    Refused.
    """
    until, reason = values.get("paused_until", patient.paused_until), values.get("paused_reason", patient.paused_reason)
    if until is None:
        if reason and "paused_reason" in values:
            raise Refused(Problem("paused_until", "Say until when."))
        return resume(caller, patient, now=now) if patient.paused_until else patient
    try:
        day = until if isinstance(until, dt.date) else dt.date.fromisoformat(str(until))
    except ValueError:
        raise Refused(Problem("paused_until", "Write the date like 2027-03-03.")) from None
    return pause(caller, patient, day, reason if isinstance(reason, str) else "", now=now)


def pause_end(until: dt.date, timezone: str) -> dt.datetime:
    """The instant (UTC) at which that day begins on the patient's clock."""
    return resolve(dt.datetime.combine(until, dt.time()), timezone).at


def is_paused(patient: Patient, at: dt.datetime) -> bool:
    """Return whether the patient is on pause at that instant."""
    return patient.paused_until is not None and at < pause_end(patient.paused_until, patient.timezone)


def paused_words(patient: Patient) -> str:
    """The pause inside a sentence: "on pause until 3 March 2027 (in hospital)"."""
    until = patient.paused_until
    return f"on pause until {until.day} {until:%B %Y} ({patient.paused_reason})" if until else ""


def _locked(caller: Caller, patient: Patient) -> Patient:
    return Patient.objects.select_for_update().get(clinic=caller.clinic, pk=patient.pk)


def _set(
    caller: Caller, patient: Patient, until: dt.date | None, reason: str, action: str, now: dt.datetime
) -> Patient:
    was = audit.columns(patient, _AUDITED)
    patient.paused_until, patient.paused_reason = until, reason
    patient.save(update_fields=_AUDITED)
    marks.leave(caller.clinic, MarkKind.PATIENT, patient.id, now=now)
    changes = audit.differences(was, audit.columns(patient, _AUDITED), veiled=("paused_reason",))
    audit.record(caller, action, "patient", patient.id, now=now, changes=changes)
    ring()
    return patient
