"""Sync: read a clinic's source once and store the changes. The listener service and a command call this.

Everything is read before anything is stored, so a source that is down or breaks off changes nothing. Rows are stored
in batches. If a sync ends between two batches, the next sync reads from the same point; stored rows are unchanged.
"""

import datetime as dt
import json
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog
from django.db import transaction

from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.clinics.sealed import CannotOpen
from companion.patients import directory, upsert
from companion.patients.fields import NO_EXTERNAL_ID, read_given, wrong_in
from companion.patients.row_changes import Entry
from companion.patients.sources import configuration
from companion.patients.sources.hold import Hold, acquire, free
from companion.patients.sources.models import PatientSource, RunState, SyncRun
from companion.patients.sources.source import WITHOUT, Found, SourceDown, point_text, text_point
from companion.patients.sources.spool import Spool
from companion.patients.upsert import Stored, reason_of
from companion.service import drill
from companion.service.error_place import kind_and_place
from companion.service.outages import is_outage

log = structlog.get_logger(__name__)
WHOLE_EVERY: Final = dt.timedelta(days=1)
"""The interval at which everything is read, so that refused rows are tried again after the reason was removed here."""
REASONS: Final = 200
"""The most refused rows that a report names, and the most patients who were added, changed or left."""
_AGAIN: Final = "The next sync tries again."
_NOT_NEEDED: Final = ("language", "phone")
"""Fields whose wrong value is left out, since a patient without it can still get messages."""


class Refusal(NamedTuple):
    """A refused row: its place in the source, and the reason."""

    place: str
    reason: str


class Touched(NamedTuple):
    """A patient whom a sync touched, and what changed."""

    external_id: str
    what: str


@dataclass(slots=True)
class _Counts:
    """The results of all batches so far."""

    stored: Stored = field(default_factory=Stored)
    refused: int = 0
    reasons: list[Refusal] = field(default_factory=list)
    touched: list[Touched] = field(default_factory=list)

    def refuse(self, place: str, reason: str) -> None:
        """Count another refusal, and name it while there is room."""
        self.refused += 1
        if len(self.reasons) < REASONS:
            self.reasons.append(Refusal(place, reason))

    def add(self, stored: Stored) -> None:
        """Add the results of a batch, except the refused patients."""
        self.stored = self.stored.plus(Stored(stored.added, stored.changed, stored.unchanged, stored.left))
        room = REASONS - len(self.touched)
        self.touched += [Touched(patient.external_id, patient.what) for patient in stored.touched[:room]]


def due(*, now: dt.datetime) -> list[PatientSource]:
    """The sources whose time has come and that nobody holds."""
    if drill.is_on():
        return []
    waiting = PatientSource.objects.filter(free(now), next_at__lte=now, clinic__archived_at=None)
    return list(waiting.select_related("clinic").order_by("next_at")[:20])


def sync(clinic: Clinic, *, clock: Callable[[], dt.datetime], whole: bool = False) -> SyncRun:
    """Sync the clinic's source; store and return the report. `whole`: read also the rows that haven't changed.

    Raises Conflict if there is no source, or if another sync of it is running.
    """
    now = clock()
    row = PatientSource.objects.filter(clinic=clinic).first()
    if row is None:
        raise Conflict("No source of patients is set. Set one with `companion patients source`.")
    whole = whole or not row.reached or row.whole_at is None or now - row.whole_at >= WHOLE_EVERY
    run = acquire(row, whole=whole, now=now)
    try:
        done = _work(row, run, clock)
    except (SourceDown, CannotOpen) as why:
        return _end(row, run, RunState.SOURCE_DOWN, _Counts(), detail=str(why), now=clock())
    except Refused as refusal:
        return _end(row, run, RunState.SOURCE_DOWN, _Counts(), detail=reason_of(refusal), now=clock())
    except Conflict:
        _end(row, run, RunState.ENDED, _Counts(), now=clock())
        raise
    except Exception as error:
        if is_outage(error):
            # Our own database failed, not the source: the caller waits for it.
            raise
        # Strange data of one clinic must not stop the listener service, which also reads the STOPs of all clinics.
        log.error("a sync failed", run=str(run.id), **kind_and_place(error))  # noqa: TRY400
        detail = f"The source gave something that can't be read ({type(error).__name__})."
        return _end(row, run, RunState.ENDED, _Counts(), detail=detail, now=clock())
    return _end(row, run, RunState.DONE, done.counts, now=clock(), reached=done.reached[:100])


class _Done(NamedTuple):
    """The counts of a sync that is done, and the source's own time up to which everything is stored."""

    counts: _Counts
    reached: str


def _work(row: PatientSource, run: SyncRun, clock: Callable[[], dt.datetime]) -> _Done:
    """Read the source whole, then store its rows."""
    with closing(Spool()) as spool, Hold(row, run, clock) as hold:
        source = configuration.opened(row, now=clock())
        found = source.read_all() if run.whole else source.read_changed_since(text_point(row.reached))
        spool.fill(hold.note_rows(found), now=clock())
        counts = _store(row, spool, hold, clock)
        reached = point_text(spool.reached) if spool.reached is not None else row.reached
        return _Done(counts, reached)


def runs(clinic: Clinic, *, after: int = 0, limit: int = 20) -> list[SyncRun]:
    """The reports, the newest first, without the first `after` of them."""
    found = SyncRun.objects.filter(clinic=clinic).defer("reasons", "touched").order_by("-began_at", "-id")
    return list(found[after : after + limit])


def run_of(clinic: Clinic, id: uuid.UUID) -> SyncRun:
    """Find a report. Raises Unknown."""
    found = SyncRun.objects.filter(clinic=clinic, pk=id).first()
    if found is None:
        raise Unknown("There is no such report; the newest 200 are kept.")
    return found


def reasons(run: SyncRun) -> list[Refusal]:
    """The first refused rows."""
    return [Refusal(place, reason) for place, reason in json.loads(run.reasons)]


def touched(run: SyncRun) -> list[Touched]:
    """The first patients who were added, changed or left."""
    return [Touched(external_id, what) for external_id, what in json.loads(run.touched or "[]")]


def _store(row: PatientSource, spool: Spool, hold: Hold, clock: Callable[[], dt.datetime]) -> _Counts:
    """Store all rows of the spool, batch by batch. Raises Conflict if the source was replaced meanwhile."""
    caller = Caller(row.clinic, "service", None, f"sync ({row.kind})", Role.PROVIDER)
    counts = _Counts()
    seen: set[str] = set()
    for batch in spool.batches():
        hold.renew()
        now = clock()
        entries = _entries(batch, seen, counts, now)
        stored = upsert.store(caller, entries, _AGAIN, now=now)
        for refused in stored.refused:
            counts.refuse(batch[refused.line].place, refused.reason)
        counts.add(stored)
    return counts


def _entries(batch: Sequence[Found], seen: set[str], counts: _Counts, now: dt.datetime) -> list[Entry]:
    """Return the patients whose values are valid; count and name the refused rows."""
    entries = []
    for number, found in enumerate(batch):
        if found.trouble:
            counts.refuse(found.place, found.trouble)
            if not found.values:
                continue
        wrong = {} if found.left else _wrong_but_not_needed(found)
        try:
            entry = _entry(number, found, wrong, seen, now)
        except Refused as refusal:
            counts.refuse(found.place, reason_of(refusal))
            continue
        for field_name, why in wrong.items():
            counts.refuse(found.place, f"{field_name}: {why} {WITHOUT}")
        seen.add(entry.given["external_id"])
        entries.append(entry)
    return entries


def _wrong_but_not_needed(found: Found) -> dict[str, str]:
    """Return, by field, the sentence about each wrong value that is left out."""
    why = {name: wrong_in(name, found.values[name]) for name in _NOT_NEEDED if name in found.values}
    return {name: sentence for name, sentence in why.items() if sentence}


def _entry(number: int, found: Found, without: Collection[str], seen: set[str], now: dt.datetime) -> Entry:
    """Make the entry for a row, without the fields `without`. Raises Refused."""
    values = {name: value for name, value in found.values.items() if name not in without}
    if "external_id" not in values:
        raise Refused(Problem("external_id", NO_EXTERNAL_ID))
    if found.left:
        values = {"external_id": values["external_id"]}
    given = read_given(values, today=directory.latest_date(now))
    if given["external_id"] in seen:
        raise Refused(Problem("external_id", "The source has this id twice."))
    return Entry(number, given, left=found.left, keeps_enrolled=True)


def _end(
    row: PatientSource,
    run: SyncRun,
    state: RunState,
    counts: _Counts,
    *,
    now: dt.datetime,
    detail: str = "",
    reached: str | None = None,
) -> SyncRun:
    """Write the report and free the source. Raises Conflict if another sync has taken over the source."""
    stored = counts.stored
    ended: dict[str, object] = {"state": state, "ended_at": now, "detail": detail[:300], "refused": counts.refused}
    ended |= {name: getattr(stored, name) for name in ("added", "changed", "unchanged", "left")}
    ended |= {"reasons": json.dumps(counts.reasons), "touched": json.dumps(counts.touched)}
    kept: dict[str, object] = {"running_until": None, "next_at": now + row.every}
    if reached is not None:
        kept["reached"] = reached
        if run.whole:
            kept["whole_at"] = run.began_at
    with transaction.atomic():
        if not SyncRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(**ended):
            # Zero rows: another sync noted that this sync ended, and holds the source.
            raise Conflict("Another sync took over the source, because this sync gave no sign of life.")
        PatientSource.objects.filter(pk=row.pk).update(**kept)
    run.refresh_from_db()
    numbers = {"added": run.added, "changed": run.changed, "left": run.left, "refused": run.refused}
    log.info("patients synced", run=str(run.id), state=run.state, **numbers)
    return run
