"""The evidence packet of a Message: what was planned, agreed, sent, answered and done. A seal shows any later change.

The packet is one HTML file, which has the same values as JSON inside. evidence_check.py checks it.
"""

import datetime as dt
import json
import uuid
from typing import Final

from django.db.models import Q

from companion.clinics import audit, chain, seals
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, Role
from companion.clinics.stored_entries import readable
from companion.clinics.trail_shape import plain
from companion.delivery import following
from companion.listener.models import Reply
from companion.patients import former_patients
from companion.patients.models import Patient
from companion.rights import gathering
from companion.rights.evidence_page import page_of
from companion.schedules.models import Message, Schedule
from companion.service.key_ring import ring

VERSION: Final = 1


def packet(caller: Caller, message: Message, *, now: dt.datetime) -> str:
    """Return the packet as the text of an HTML file, and record the reading. Raises NotAllowed for a viewer.

    Call it outside of transactions.
    """
    content = values_of(caller, message, now=now)
    key = ring().in_use
    return page_of(content, key.id, seals.packet_seal(written(content), key))


def values_of(caller: Caller, message: Message, *, now: dt.datetime) -> dict[str, object]:
    """Return the packet's values, as they are written as JSON."""
    caller.needs(Role.PROVIDER)
    audit.record_reading(caller, "evidence exported", "message", message.pk, now=now)
    chain.catch_up(caller.clinic.pk)
    # A message that repeats another has no schedule of its own, but the version of that message's schedule.
    patient, schedule = message.patient, message.version.schedule if message.version else message.schedule
    [entry] = gathering.message_entries([message])
    question = following.one_question(message)
    replies = Reply.objects.filter(Q(message__in=question) | Q(corrects__message__in=question), clinic=caller.clinic)
    return {
        "version": VERSION,
        "made_at": _instant(now),
        "made_by": caller.name,
        "clinic": {"id": str(caller.clinic.pk), "name": caller.clinic.name, "timezone": caller.clinic.timezone},
        "patient": {"id": str(patient.pk), "external_id": patient.external_id, "name": patient.name}
        if patient
        else None,
        "message": entry.model_dump(mode="json"),
        "plan": _plan(schedule) if schedule else None,
        "consents": [change.model_dump(mode="json") for change in gathering.consent_entries(patient)]
        if patient
        else [],
        "approvals": [],
        "answers": [gathering.reply_entry(reply).model_dump(mode="json") for reply in replies.order_by("at", "id")],
        "audit": _entries(message, schedule),
    }


def written(content: dict[str, object]) -> str:
    """Return the values as the JSON text that is sealed."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plan(schedule: Schedule) -> dict[str, object]:
    return gathering.schedule_entry(schedule).model_dump(mode="json") | {
        "rule": schedule.recurrence,
        "late_after_seconds": int(schedule.late_after.total_seconds()),
        "quiet_hours": str(schedule.quiet_hours),
        "if_unknown": str(schedule.if_unknown),
    }


def _entries(message: Message, schedule: Schedule | None) -> list[dict[str, object]]:
    """Return the audit entries about the Message, the Message before it, the Schedule and the patient's consent.

    Each entry comes with the hash of the entry before it in the chain.
    """
    subjects = [id for id in (message.pk, message.follows_id, schedule.pk if schedule else None) if id]
    about = Q(subject_id__in=subjects)
    if message.patient:
        # A consent that was noted before a merge has the id of the patient's former row.
        about |= Q(subject_id__in=_ids_of(message.patient), action__startswith="consent ")
    chained = AuditEntry.objects.filter(clinic=message.clinic_id, number__isnull=False)
    rows = list(readable(chained.filter(about).order_by("number")))
    numbers = [(row.number or 0) - 1 for row in rows]
    hashes = {row.number: row.hash for row in readable(chained.filter(number__in=numbers))}
    return [
        plain(row) | {"before": hashes.get(number, seals.BEGINNING)} for row, number in zip(rows, numbers, strict=True)
    ]


def _ids_of(patient: Patient) -> list[uuid.UUID]:
    return [patient.pk, *former_patients.ids_before(patient)]


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
