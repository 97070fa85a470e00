"""Cause cards: patients whose messages failed or will fail, with the reason and the remedy; at most three cards."""

import datetime as dt
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.patients.reach import Obstacle, Why, obstacle_of, unreachable
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.web.templatetags.counts import decapitalised

MOST: Final = 3
LOOKED_AT: Final = 500
"""The largest number of rows that are read: the cards name causes, and counting a million rows would be too slow."""
AHEAD: Final = dt.timedelta(hours=48)
BACK: Final = dt.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Cause:
    """A card: "Ana Silva opted out: 3 messages won't arrive", the reason, and the page with the remedy."""

    patient: Patient
    title: str
    detail: str
    mend: Literal["invite", "patient", "failed"]


def causes(clinic: Clinic, *, now: dt.datetime) -> list[Cause]:
    """List causes of coming failures first, then causes of the last day's failures for other patients."""
    coming = _wont_arrive(clinic, now=now)
    if len(coming) >= MOST:
        return coming
    known = {cause.patient.id for cause in coming}
    failed = [cause for cause in _failed(clinic, now=now) if cause.patient.id not in known]
    return [*coming, *failed][:MOST]


def _wont_arrive(clinic: Clinic, *, now: dt.datetime) -> list[Cause]:
    blocked = Patient.objects.filter(unreachable(clinic), clinic=clinic)
    due = Message.objects.filter(clinic=clinic, status=Status.PENDING, due_at__lt=now + AHEAD, patient__in=blocked)
    counted = Counter(due.order_by("due_at").values_list("patient_id", flat=True)[:LOOKED_AT])
    patients = Patient.objects.filter(clinic=clinic).in_bulk([key for key, _ in counted.most_common(MOST) if key])
    affected = [(patients[key], count) for key, count in counted.most_common(MOST) if key in patients]
    return [
        _coming_failure(patient, obstacle, count)
        for patient, count in affected
        if (obstacle := obstacle_of(patient, clinic)) is not None
    ]


def _coming_failure(patient: Patient, obstacle: Obstacle, count: int) -> Cause:
    messages = "1 message" if count == 1 else f"{count}{'+' if count >= LOOKED_AT else ''} messages"
    return Cause(
        patient=patient,
        title=f"{patient.name} has {obstacle.what}: {messages} won't arrive",
        detail=obstacle.sentence,
        mend="invite" if obstacle.code is Why.NO_TELEGRAM_ID else "patient",
    )


def _failed(clinic: Clinic, *, now: dt.datetime) -> list[Cause]:
    lately = Message.objects.filter(
        clinic=clinic, status=Status.FAILED, due_at__gte=now - BACK, due_at__lte=now, patient__isnull=False
    )
    pairs = lately.order_by("-due_at").values_list("patient_id", "reason")[:LOOKED_AT]
    counted: Counter[tuple[uuid.UUID | None, str]] = Counter(pairs)
    top = counted.most_common(MOST)
    patients = Patient.objects.filter(clinic=clinic).in_bulk([key for (key, _), _ in top if key])
    return [_past_failure(patients[key], Reason(reason), count) for (key, reason), count in top if key in patients]


def _past_failure(patient: Patient, reason: Reason, count: int) -> Cause:
    messages = "1 message" if count == 1 else f"{count} messages"
    return Cause(
        patient=patient,
        title=f"{patient.name}: {messages} failed, {decapitalised(reason.short)}",
        detail=reason.sentence,
        mend="invite" if reason == Reason.NO_TELEGRAM_ID else "patient" if reason.of_patient else "failed",
    )
