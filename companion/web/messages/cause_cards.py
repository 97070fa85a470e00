"""The cause cards: whose messages won't arrive, or didn't, and why; at most three, each with what mends it."""

import datetime as dt
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from companion.clinics.models import Clinic
from companion.patients.models import Consent, Patient, Trouble
from companion.patients.reach import unreachable, unreachable_reason
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason, sentence
from companion.web.templatetags.words import decapitalised

MOST = 3
LOOKED_AT = 500
"""How many rows are looked at: the cards name causes, they don't count a million rows."""
AHEAD = dt.timedelta(hours=48)
BACK = dt.timedelta(hours=24)
_TROUBLES = {
    Trouble.BLOCKED: "has blocked the bot",
    Trouble.DEACTIVATED: "deleted the account",
    Trouble.CHAT_NOT_FOUND: "has no chat with the bot",
}
_PATIENTS_OWN = (Reason.OPTED_OUT, Reason.NO_CONSENT, Reason.NO_TELEGRAM_ID, Reason.BLOCKED, Reason.DEACTIVATED)


@dataclass(frozen=True, slots=True)
class Cause:
    """One card: "Ana Silva opted out: 3 messages won't arrive", why, and the page that mends it."""

    patient: Patient
    title: str
    detail: str
    mend: Literal["invite", "patient", "failed"]


def causes(clinic: Clinic, *, now: dt.datetime) -> list[Cause]:
    """What is coming and won't arrive first, then what failed in the last day for another reason."""
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
    return [_coming(patients[key], clinic, count) for key, count in counted.most_common(MOST) if key in patients]


def _coming(patient: Patient, clinic: Clinic, count: int) -> Cause:
    messages = "1 message" if count == 1 else f"{count}{'+' if count >= LOOKED_AT else ''} messages"
    return Cause(
        patient=patient,
        title=f"{patient.name} {_state(patient)}: {messages} won't arrive",
        detail=unreachable_reason(patient, clinic) or "",
        mend="invite" if patient.telegram_id is None else "patient",
    )


def _state(patient: Patient) -> str:
    """What stands in the way, as the card's title says it; in the order of patients.reach."""
    if patient.left_at is not None:
        return "has left"
    if patient.telegram_id is None:
        return "has no Telegram ID"
    if patient.consent == Consent.WITHDRAWN:
        return "opted out"
    if patient.consent_asked_at is not None:
        return "has not answered yet"
    return _TROUBLES.get(Trouble(patient.trouble), "has not agreed")


def _failed(clinic: Clinic, *, now: dt.datetime) -> list[Cause]:
    lately = Message.objects.filter(
        clinic=clinic, status=Status.FAILED, due_at__gte=now - BACK, due_at__lte=now, patient__isnull=False
    )
    pairs = lately.order_by("-due_at").values_list("patient_id", "reason")[:LOOKED_AT]
    counted: Counter[tuple[uuid.UUID | None, str]] = Counter(pairs)
    top = counted.most_common(MOST)
    patients = Patient.objects.filter(clinic=clinic).in_bulk([key for (key, _), _ in top if key])
    return [_gone_wrong(patients[key], reason, count) for (key, reason), count in top if key in patients]


def _gone_wrong(patient: Patient, reason: str, count: int) -> Cause:
    messages = "1 message" if count == 1 else f"{count} messages"
    return Cause(
        patient=patient,
        title=f"{patient.name}: {messages} failed, {decapitalised(Reason(reason).label)}",
        detail=sentence(reason),
        mend="invite" if reason == Reason.NO_TELEGRAM_ID else "patient" if reason in _PATIENTS_OWN else "failed",
    )
