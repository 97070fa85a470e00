"""The evidence packet of a Message: what was planned, agreed, sent, answered and done, sealed so that any change shows.

It is one HTML file that holds the same values as JSON. evidence_check.py checks it.
"""

import datetime as dt
import json
import uuid
from typing import Final

from django.db.models import Q

from companion.clinics import audit, chain, seals
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, Role
from companion.clinics.trail_shape import plain
from companion.listener.models import Reply
from companion.patients import former_patients
from companion.patients.models import Patient
from companion.rights import gathering
from companion.rights.evidence_page import page_of
from companion.schedules.models import Message, Schedule
from companion.service.key_ring import ring

VERSION: Final = 1


def packet(caller: Caller, message: Message, *, now: dt.datetime) -> str:
    """The packet as a file. Its making is a reading. Raises NotAllowed for a viewer. Call it outside transactions."""
    content = values_of(caller, message, now=now)
    key = ring().in_use
    return page_of(content, key.id, seals.packet_seal(written(content), key))


def values_of(caller: Caller, message: Message, *, now: dt.datetime) -> dict[str, object]:
    """The packet's values as JSON has them."""
    caller.needs(Role.PROVIDER)
    audit.record_reading(caller, "evidence exported", "message", message.pk, now=now)
    chain.catch_up(caller.clinic.pk)
    patient, schedule = message.patient, message.schedule
    [told] = gathering.message_entries([message])
    replies = Reply.objects.filter(Q(message=message) | Q(corrects__message=message), clinic=caller.clinic)
    return {
        "version": VERSION,
        "made_at": _instant(now),
        "made_by": caller.name,
        "clinic": {"id": str(caller.clinic.pk), "name": caller.clinic.name, "timezone": caller.clinic.timezone},
        "patient": {"id": str(patient.pk), "external_id": patient.external_id, "name": patient.name}
        if patient
        else None,
        "message": told.model_dump(mode="json"),
        "plan": _plan(schedule) if schedule else None,
        "consents": [one.model_dump(mode="json") for one in gathering.consent_entries(patient)] if patient else [],
        "approvals": [],
        "answers": [gathering.reply_entry(one).model_dump(mode="json") for one in replies.order_by("at", "id")],
        "audit": _entries(message),
    }


def written(content: dict[str, object]) -> str:
    """The values as the text that is sealed."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plan(schedule: Schedule) -> dict[str, object]:
    return gathering.schedule_entry(schedule).model_dump(mode="json") | {
        "rule": schedule.recurrence,
        "late_after_seconds": int(schedule.late_after.total_seconds()),
        "quiet_hours": str(schedule.quiet_hours),
        "if_unknown": str(schedule.if_unknown),
    }


def _entries(message: Message) -> list[dict[str, object]]:
    """The entries about the Message, its Schedule and its patient's consent, each with the hash before its own."""
    subjects = [one for one in (message.pk, message.schedule_id) if one]
    about = Q(subject_id__in=subjects)
    if message.patient:
        # A consent that was noted before a merge stands under the former id.
        about |= Q(subject_id__in=_ids_of(message.patient), action__startswith="consent ")
    found = AuditEntry.objects.filter(about, clinic=message.clinic_id, number__isnull=False).order_by("number")
    rows = list(found)
    numbers = [(one.number or 0) - 1 for one in rows]
    hashes = dict(AuditEntry.objects.filter(clinic=message.clinic_id, number__in=numbers).values_list("number", "hash"))
    return [
        plain(one) | {"before": hashes.get(number, seals.BEGINNING)} for one, number in zip(rows, numbers, strict=True)
    ]


def _ids_of(patient: Patient) -> list[uuid.UUID]:
    return [patient.pk, *former_patients.ids_before(patient)]


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
