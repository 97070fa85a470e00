"""The audit trail for admins: its entries, filtered by actor, action, time and object, and its export. Reads only."""

import csv
import datetime as dt
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from django.db.models import Q, QuerySet

from companion.clinics import audit, chain, clinics
from companion.clinics.access import Caller
from companion.clinics.models import AuditEntry, Clinic, Role
from companion.clinics.stored_entries import readable
from companion.clinics.trail_shape import COLUMNS, plain
from companion.listener.models import Conversation, Media
from companion.schedules.models import Message

Format = Literal["csv", "ndjson"]
TYPES: Final[dict[Format, str]] = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filter of an admin. An entry must match all parts."""

    who: str = ""
    """A part of the actor's name."""
    what: str = ""
    """A part of the action."""
    kind: Literal["", "acts", "readings"] = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    about: uuid.UUID | None = None
    """The id of a patient (with all messages and conversations), of a message, or of any other object."""


def clinic_called(slug: str | None) -> Clinic:
    """The clinic of this slug (None: the only clinic), or a removed clinic by its id. Raises Unknown."""
    try:
        removed = uuid.UUID(slug or "")
    except ValueError:
        return clinics.the_clinic(slug, archived=True)
    if Clinic.objects.filter(pk=removed).exists() or not AuditEntry.objects.filter(clinic=removed).exists():
        return clinics.the_clinic(slug, archived=True)
    return Clinic(pk=removed, slug=str(removed))


def entries(caller: Caller, wanted: Wanted) -> QuerySet[AuditEntry]:
    """The chained entries of the caller's clinic, the newest first. Raises NotAllowed. Call it outside transactions."""
    caller.needs(Role.ADMIN)
    chain.catch_up(caller.clinic.pk)
    found = AuditEntry.objects.filter(clinic=caller.clinic, number__isnull=False)
    if wanted.who:
        found = found.filter(actor_name__icontains=wanted.who)
    if wanted.what:
        found = found.filter(action__icontains=wanted.what)
    if wanted.kind:
        found = found.filter(reading=wanted.kind == "readings")
    if wanted.since:
        found = found.filter(at__gte=wanted.since)
    if wanted.until:
        found = found.filter(at__lt=wanted.until)
    if wanted.about:
        found = found.filter(_about(caller, wanted.about))
    return found.order_by("-number")


def export(caller: Caller, wanted: Wanted, form: Format, *, now: dt.datetime) -> Iterator[str]:
    """The entries as CSV or NDJSON, the oldest first. The export is itself an entry."""
    caller.needs(Role.ADMIN)
    audit.record_reading(caller, "audit trail exported", "clinic", caller.clinic.pk, now=now)
    rows = readable(entries(caller, wanted).reverse())
    return _csv(rows) if form == "csv" else (f"{json.dumps(plain(row), ensure_ascii=False)}\n" for row in rows)


def _about(caller: Caller, id: uuid.UUID) -> Q:
    messages = Message.objects.filter(clinic=caller.clinic, patient=id).values("pk")
    conversations = Conversation.objects.filter(clinic=caller.clinic, patient=id).values("pk")
    files = Media.objects.filter(clinic=caller.clinic, reply__patient=id).values("pk")
    about = Q(subject_id=id)
    for others in (messages, conversations, files):
        about |= Q(subject_id__in=others)
    return about


def _csv(rows: Iterator[AuditEntry]) -> Iterator[str]:
    yield _line(list(COLUMNS))
    for row in rows:
        values = plain(row) | {"changes": json.dumps(row.changes, ensure_ascii=False)}
        yield _line([_cell(values[column]) for column in COLUMNS])


def _cell(value: object) -> str:
    """The value as text. A value that begins like a formula gets an apostrophe, so that no spreadsheet computes it."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue()
