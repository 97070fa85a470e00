"""Reading a clinic's source and storing what changed, once: the timer of the listener service and a command call it.

All is read before anything is stored: a source that is down, or breaks off, changes nothing. Storing goes in batches
and may end at any of them; the next sync then begins where this one did, and what is stored already is unchanged.
"""

import datetime as dt
import json
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q

from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.clinics.sealed import CannotOpen
from companion.patients import bulk, directory
from companion.patients.bulk import Entry, Taken, reason_of
from companion.patients.fields import read_given
from companion.patients.sources import keeping
from companion.patients.sources.models import PatientSource, RunState, SyncRun
from companion.patients.sources.source import Found, SourceDown, point_text, text_point
from companion.patients.sources.spool import Spool

log = structlog.get_logger(__name__)
HOLD: Final = dt.timedelta(minutes=10)
"""How long a sync holds its source without a sign of life."""
WHOLE_EVERY: Final = dt.timedelta(days=1)
"""Now and then all is read, so that a row that was refused is tried again after what was wrong here is mended."""
REASONS: Final = 200
"""How many of the refused a report names, and how many of those who were added, changed or left."""
KEPT: Final = 200
"""Reports of a clinic that are kept."""
_AGAIN: Final = "The next sync tries it again."


@dataclass(slots=True)
class _Tally:
    """What came of all batches so far."""

    taken: Taken = field(default_factory=Taken)
    refused: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)
    touched: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, place: str, reason: str) -> None:
        """One more, named while there is room."""
        self.refused += 1
        if len(self.reasons) < REASONS:
            self.reasons.append((place, reason))

    def take(self, taken: Taken) -> None:
        """What came of a batch, but for the refused."""
        self.taken = self.taken.plus(Taken(taken.added, taken.changed, taken.unchanged, taken.left))
        room = REASONS - len(self.touched)
        self.touched += [(one.external_id, one.what) for one in taken.touched[:room]]


def due(*, now: dt.datetime) -> list[PatientSource]:
    """The sources whose time has come and that nobody holds."""
    free = Q(running_until__isnull=True) | Q(running_until__lte=now)
    return list(PatientSource.objects.filter(free, next_at__lte=now).select_related("clinic").order_by("next_at")[:20])


def sync(clinic: Clinic, *, clock: Callable[[], dt.datetime], whole: bool = False) -> SyncRun:
    """One sync of the clinic's source; its report is kept and comes back. `whole` reads also what hasn't changed.

    Raises Conflict where there is no source, or another sync of it is under way.
    """
    now = clock()
    row = PatientSource.objects.filter(clinic=clinic).first()
    if row is None:
        raise Conflict("No source of patients is set. Set one with `companion patients source`.")
    whole = whole or not row.reached or row.whole_at is None or now - row.whole_at >= WHOLE_EVERY
    run = _begin(row, whole, now)
    caller = Caller(clinic, "service", None, f"sync ({row.kind})", Role.PROVIDER)
    spool = Spool()
    try:
        source = keeping.opened(row)
        spool.fill(source.read_all() if whole else source.read_changed_since(text_point(row.reached)))
        tally = _store(caller, row, spool, clock)
    except (SourceDown, CannotOpen) as why:
        return _end(row, run, RunState.SOURCE_DOWN, _Tally(), detail=str(why), now=clock())
    except Refused as refusal:
        return _end(row, run, RunState.SOURCE_DOWN, _Tally(), detail=reason_of(refusal), now=clock())
    except Conflict:
        _end(row, run, RunState.ENDED, _Tally(), now=clock())
        raise
    except (OperationalError, InterfaceError):
        # Our own database, not the source: whoever called waits for it.
        raise
    except Exception as error:  # noqa: BLE001 (one clinic's strange data must not end the syncs, and STOPs, of all)
        # By its kind only: what it says may quote a patient.
        log.error("a sync failed", run=str(run.id), error=type(error).__name__, at=_place(error))  # noqa: TRY400
        detail = f"The source gave something that can't be read ({type(error).__name__})."
        return _end(row, run, RunState.ENDED, _Tally(), detail=detail, now=clock())
    finally:
        spool.close()
    reached = point_text(spool.reached) if spool.reached is not None else row.reached
    return _end(row, run, RunState.DONE, tally, now=clock(), reached=reached[:100])


def _place(error: Exception) -> str:
    """The innermost place in the code, for whoever mends it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.name}:{last.lineno}"


def runs(clinic: Clinic, *, after: int = 0, limit: int = 20) -> list[SyncRun]:
    """The newest reports first, from the one after so many on."""
    found = SyncRun.objects.filter(clinic=clinic).defer("reasons", "touched").order_by("-began_at", "-id")
    return list(found[after : after + limit])


def run_of(clinic: Clinic, id: uuid.UUID) -> SyncRun:
    """One report. Raises Unknown."""
    found = SyncRun.objects.filter(clinic=clinic, pk=id).first()
    if found is None:
        raise Unknown("There is no such report; the newest 200 are kept.")
    return found


def reasons(run: SyncRun) -> list[tuple[str, str]]:
    """Of the refused the first, each with its place in the source and why."""
    return [(place, reason) for place, reason in json.loads(run.reasons)]


def touched(run: SyncRun) -> list[tuple[str, str]]:
    """Of those who were added, changed or left the first, each by the external id with what changed."""
    return [(external_id, what) for external_id, what in json.loads(run.touched or "[]")]


def _begin(row: PatientSource, whole: bool, now: dt.datetime) -> SyncRun:
    with transaction.atomic():
        held = PatientSource.objects.filter(Q(running_until__isnull=True) | Q(running_until__lte=now), pk=row.pk)
        if not held.update(running_until=now + HOLD):
            # Zero rows: somebody was faster.
            raise Conflict("A sync is under way already.")
        runs_here = SyncRun.objects.filter(clinic=row.clinic)
        runs_here.filter(state=RunState.RUNNING).update(state=RunState.ENDED, ended_at=now)
        old = runs_here.order_by("-began_at").values_list("pk", flat=True)[KEPT - 1 :]
        SyncRun.objects.filter(clinic=row.clinic, pk__in=list(old)).delete()
        return SyncRun.objects.create(clinic=row.clinic, kind=row.kind, whole=whole, began_at=now, reasons="[]")


def _store(caller: Caller, row: PatientSource, spool: Spool, clock: Callable[[], dt.datetime]) -> _Tally:
    """Stores all of the spool, batch by batch. Raises Conflict where the source was exchanged meanwhile."""
    tally = _Tally()
    seen: set[str] = set()
    for batch in spool.batches():
        now = clock()
        if not PatientSource.objects.filter(pk=row.pk).update(running_until=now + HOLD):
            raise Conflict("The source was taken away or exchanged meanwhile.")
        entries = _entries(batch, seen, tally, now)
        taken = bulk.take(caller, entries, _AGAIN, now=now)
        for refused in taken.refused:
            tally.refuse(batch[refused.line].place, refused.reason)
        tally.take(taken)
    return tally


def _entries(batch: Sequence[Found], seen: set[str], tally: _Tally, now: dt.datetime) -> list[Entry]:
    """Those that are right in themselves; the others are counted and named."""
    entries = []
    for number, found in enumerate(batch):
        if found.trouble:
            tally.refuse(found.place, found.trouble)
            if not found.values:
                continue
        try:
            entry = _entry(number, found, seen, now)
        except Refused as refusal:
            tally.refuse(found.place, reason_of(refusal))
            continue
        seen.add(entry.given["external_id"])
        entries.append(entry)
    return entries


def _entry(number: int, found: Found, seen: set[str], now: dt.datetime) -> Entry:
    """Raises Refused."""
    values = found.values
    if "external_id" not in values:
        raise Refused(Problem("external_id", "Say by which id this patient is known to you."))
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
    tally: _Tally,
    *,
    now: dt.datetime,
    detail: str = "",
    reached: str | None = None,
) -> SyncRun:
    taken = tally.taken
    run.state, run.ended_at, run.detail = state, now, detail[:300]
    run.added, run.changed, run.unchanged, run.left = taken.added, taken.changed, taken.unchanged, taken.left
    run.refused, run.reasons = tally.refused, json.dumps(tally.reasons)
    run.touched = json.dumps(tally.touched)
    kept: dict[str, object] = {"running_until": None, "next_at": now + row.every}
    if reached is not None:
        kept["reached"] = reached
        if run.whole:
            kept["whole_at"] = run.began_at
    with transaction.atomic():
        run.save()
        PatientSource.objects.filter(pk=row.pk).update(**kept)
    numbers = {"added": run.added, "changed": run.changed, "left": run.left, "refused": run.refused}
    log.info("patients synced", run=str(run.id), state=state.value, **numbers)
    return run
