"""The check of all clinics' audit trails, with what the Journals and the hashes of each day know.

clinics/chain_check.py checks one chain.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.models import Q

from companion.clinics import append_only, chain, chain_check, clinics
from companion.clinics.chain import Head
from companion.clinics.chain_check import KnownHead, State, Verdict, printable
from companion.clinics.models import AuditEntry, Clinic
from companion.clinics.stored_entries import Stored, text_of
from companion.journal import folder
from companion.journal.entries import Chained
from companion.panel.models import TrailHead

_EVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC) + dt.timedelta(days=2)
_MOST: Final = 50
_ODD_HASHES: Final = "Somebody changed the hashes that were sent out: {count} of them can't be read (panel_trailhead)."
_SAYS: Final = {
    State.WHOLE: "is whole",
    State.TAMPERED: "was tampered with",
    State.UNKNOWN: "can't be checked without a secret key",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The result for one clinic, or for the database's own rule, in words."""

    state: State
    summary: str
    lines: list[str]


def check_all(slug: str | None, *, last: Head | None, journals: Sequence[Path] = ()) -> list[Report]:
    """Check the trail of this clinic (None: of each clinic that has or had a trail). `last` is a head that went out.

    A removed clinic is named by its id. Raises Unknown for the slug of no clinic, and if `last` is given and nobody
    says for which of several clinics.
    """
    only = (_removed(slug) or clinics.the_clinic(slug, archived=True).pk) if slug is not None or last else None
    known = _known([settings.JOURNAL_DIR, *journals])
    odd = _add_daily(known)
    names = _names(known)
    wanted = {only: names.get(only, _name_of_removed(only))} if only else names
    reports = []
    for clinic, name in wanted.items():
        heads = known.get(clinic, []) + ([KnownHead(last, "the hash that you gave")] if last else [])
        reports.append(_report(name, chain_check.check(clinic, heads)))
    return [*reports, *([Report(State.TAMPERED, _ODD_HASHES.format(count=odd), [])] if odd else []), *_rule()]


def _removed(slug: str | None) -> uuid.UUID | None:
    """Read the id of a clinic that is not there; None for anything else. Its whole trail may be gone as well."""
    try:
        id = uuid.UUID(slug or "")
    except ValueError:
        return None
    return None if Clinic.objects.filter(Q(pk=id) | Q(slug=slug)).exists() else id


def _name_of_removed(clinic: uuid.UUID) -> str:
    return f"removed clinic {clinic}"


def _rule() -> list[Report]:
    """Report triggers that are missing, rights that are too many, and rules that could keep out or hide entries."""
    found = [f"{words[0].upper()}{words[1:]}." for words in append_only.missing()]
    found += [
        f"{printable(name)} is no trigger, rule or policy of this product. It could keep entries out of the trail, or "
        "hide them."
        for name in append_only.strange()
    ]
    if not found:
        return []
    words = "The database doesn't keep the audit trail append-only: somebody changed it, or it was not migrated."
    return [Report(State.TAMPERED, words, found)]


def _known(folders: Sequence[Path]) -> dict[uuid.UUID, list[KnownHead]]:
    """The heads in the Journals, by clinic."""
    found: dict[uuid.UUID, list[KnownHead]] = {}
    for path in folders:
        journal = folder.read(path, since=_EVER)
        for entry in journal.entries if journal else []:
            if isinstance(entry, Chained):
                head = Head(entry.number, entry.hash)
                found.setdefault(entry.clinic, []).append(KnownHead(head, "the Journal", entry.at))
    return found


def _add_daily(known: dict[uuid.UUID, list[KnownHead]]) -> int:
    """Add the hashes that were sent out, as they are stored. Return the number of rows that can't be read."""
    odd = 0
    columns = map(Stored, ("clinic_id", "number", "hash", "day"))
    for row in TrailHead.objects.order_by("day").values_list(*columns):
        clinic, number, digest, day = map(text_of, row)
        try:
            sent = KnownHead(Head(int(number), digest), f"the hash sent out on {dt.date.fromisoformat(day)}")
            known.setdefault(uuid.UUID(clinic), []).append(sent)
        except ValueError:
            odd += 1
    return odd


def _names(known: dict[uuid.UUID, list[KnownHead]]) -> dict[uuid.UUID, str]:
    """The clinics that have or had a trail. A removed clinic is named by its id."""
    names: dict[uuid.UUID, str] = {}
    for id, slug in Clinic.objects.order_by("slug").values_list(Stored("id"), Stored("slug")):
        names |= dict.fromkeys(chain.clinics_called([id]), text_of(slug))
    ever = chain.clinics_called(AuditEntry.objects.order_by().values_list(Stored("clinic_id"), flat=True).distinct())
    return names | {clinic: _name_of_removed(clinic) for clinic in [*ever, *known] if clinic not in names}


def _report(name: str, verdict: Verdict) -> Report:
    entries = "1 entry" if verdict.entries == 1 else f"{verdict.entries:,} entries"
    newest = f" The newest is {verdict.head}." if verdict.head else ""
    lines = [*verdict.notes, *(str(wrong) for wrong in verdict.wrong[:_MOST])]
    if len(verdict.wrong) > _MOST:
        lines.append(f"and {len(verdict.wrong) - _MOST} more.")
    return Report(
        verdict.state, f"{printable(name)}: the audit trail {_SAYS[verdict.state]} ({entries}).{newest}", lines
    )
