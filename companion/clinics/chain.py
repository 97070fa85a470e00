"""The chain of the audit trail: the hash of each entry includes the hash of the clinic's entry before it.

A thread in each service chains new entries shortly after their commit. Each reading and each check of the trail first
chains the entries that are left. One process at a time chains a clinic's entries, in a short transaction after the
acts, so that no act waits for another.
"""

import datetime as dt
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery

from companion.clinics import seals
from companion.clinics.models import AuditEntry, Clinic
from companion.clinics.stored_entries import Stored, read, text_of
from companion.service import key_ring
from companion.service.key_ring import Key

_AT_ONCE: Final = 1000
_LARGEST: Final = 2**62
"""No chain gets so long. A larger number is no number of ours."""
rung: Final = threading.Event()
"""Set when entries of this process wait to be chained."""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a clinic's chain. It stands for all entries before it."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


def ring() -> None:
    """Have the entries of this process chained soon."""
    rung.set()


def waiting() -> list[uuid.UUID]:
    """The clinics with entries that wait to be chained."""
    found = AuditEntry.objects.filter(number=None).order_by().values_list(Stored("clinic_id"), flat=True).distinct()
    return clinics_called(found)


def clinics_called(stored: Iterable[object]) -> list[uuid.UUID]:
    """Return the ids of clinics as the database stores them. An entry without such an id belongs to no clinic."""
    found = []
    for id in map(text_of, stored):
        with suppress(ValueError):
            found.append(uuid.UUID(id))
    return found


def late(clinic: uuid.UUID | None, *, before: dt.datetime) -> int:
    """Count the clinic's entries (None: all clinics') from before this time that wait to be chained, up to 1,000."""
    late = AuditEntry.objects.filter(number=None, at__lt=before)
    return (late.filter(clinic=clinic) if clinic else late).order_by()[:_AT_ONCE].count()


def head(clinic: uuid.UUID) -> Head | None:
    """The newest entry of the clinic's chain; None if no entry is chained yet."""
    newest = _newest_first(AuditEntry.objects.filter(clinic=clinic)).values_list("number", Stored("hash")).first()
    return Head(newest[0], text_of(newest[1])) if newest else None


def heads() -> dict[uuid.UUID, Head]:
    """The newest entry of each clinic's chain."""
    chained = _newest_first(AuditEntry.objects.filter(clinic=OuterRef("pk")))
    newest = Clinic.objects.annotate(
        number=Subquery(chained.values("number")[:1]), hash=Subquery(chained.values(stored=Stored("hash"))[:1])
    ).exclude(number=None)
    return {id: Head(number, text_of(hash)) for id, number, hash in newest.values_list("id", "number", "hash")}


def _newest_first(entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
    """Return the chained entries. On SQLite, a number can be a text, which counts as larger than all numbers."""
    return entries.filter(number__gt=0, number__lt=_LARGEST).order_by("-number")


def catch_up(clinic: uuid.UUID) -> None:
    """Chain all committed entries of the clinic.

    An entry without a valid seal was not made by the product. It never gets into the chain; chain_check.py reports it.
    """
    if not AuditEntry.objects.filter(clinic=clinic, number=None).exists():
        return
    while True:
        with transaction.atomic():
            take_turns(clinic)
            with closing(read(AuditEntry.objects.filter(clinic=clinic, number=None).order_by("id"))) as found:
                ours = ((entry, key) for entry in found if isinstance(entry, AuditEntry) and (key := key_of(entry)))
                some = list(islice(ours, _AT_ONCE))
            chained = _chain(clinic, some)
        if chained < _AT_ONCE:
            return


def key_of(entry: AuditEntry) -> Key | None:
    """The key that sealed the entry; None if the seal doesn't fit the entry, so that the product didn't make it."""
    key = key_ring.ring().called(entry.key_id)
    return key if key and seals.same(entry.seal, seals.seal_of(vars(entry), key)) else None


def _chain(clinic: uuid.UUID, entries: Sequence[tuple[AuditEntry, Key]]) -> int:
    """Chain these entries, and return how many: none are left out, unless a forged entry has taken the last number."""
    newest = head(clinic)
    number, before = (newest.number, newest.hash) if newest else (0, seals.BEGINNING)
    rows = []
    for entry, key in entries:
        number += 1
        if number >= _LARGEST:
            break
        before = seals.link_of(clinic, number, before, entry.seal, key)
        rows.append((number, before, AuditEntry._meta.pk.get_db_prep_value(entry.id, connection)))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE clinics_auditentry SET number = %s, hash = %s WHERE id = %s AND number IS NULL", rows
        )
    return len(rows)


def take_turns(clinic: uuid.UUID) -> None:
    """Wait until no other transaction chains this clinic's entries. On SQLite only one transaction can write anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"audit {clinic}"])
