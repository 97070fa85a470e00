"""A sync's hold on its source. It is renewed while the sync runs, and expires a minute after its process dies.

The row of the report proves the hold. A sync that takes over an expired hold ends the earlier sync's report. If the
earlier sync still runs, it can't renew the hold, store patients or end its report from then on.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Self, TypeVar

import structlog
from django.db import Error, close_old_connections, connection, transaction
from django.db.models import Exists, Q

from companion.clinics.refusals import Conflict
from companion.patients.sources.models import PatientSource, RunState, SyncRun

log = structlog.get_logger(__name__)
HOLD: Final = dt.timedelta(minutes=1)
"""The time for which a source is held without renewal."""
RENEWED_EVERY: Final = 15.0
STUCK: Final = 600.0
"""The longest silence of a source in seconds; then the hold ends, so that another process may try."""
KEPT: Final = 200
"""The number of a clinic's reports that are kept."""
_T = TypeVar("_T")


def free(now: dt.datetime) -> Q:
    """The sources that nobody holds."""
    return Q(running_until__isnull=True) | Q(running_until__lte=now)


def acquire(row: PatientSource, *, whole: bool, now: dt.datetime) -> SyncRun:
    """Hold the source and return the report of the new sync. Raises Conflict if another sync holds the source."""
    with transaction.atomic():
        if not PatientSource.objects.filter(free(now), pk=row.pk).update(running_until=now + HOLD):
            # Zero rows: another process was faster.
            raise Conflict("A sync is under way already.")
        runs_here = SyncRun.objects.filter(clinic=row.clinic)
        runs_here.filter(state=RunState.RUNNING).update(state=RunState.ENDED, ended_at=now)
        old = runs_here.order_by("-began_at").values_list("pk", flat=True)[KEPT - 1 :]
        SyncRun.objects.filter(clinic=row.clinic, pk__in=list(old)).delete()
        return SyncRun.objects.create(clinic=row.clinic, kind=row.kind, whole=whole, began_at=now, reasons="[]")


class Hold:
    """Renew the hold while the block lasts, in a separate thread, because a source may take minutes to answer."""

    def __init__(
        self,
        row: PatientSource,
        run: SyncRun,
        clock: Callable[[], dt.datetime],
        *,
        every: float = RENEWED_EVERY,
        stuck: float = STUCK,
    ) -> None:
        self._row, self._run, self._clock = row, run, clock
        self._every, self._stuck = every, stuck
        self._came = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="sync-hold", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def note_rows(self, found: Iterable[_T]) -> Iterator[_T]:
        """Pass the rows through; each row shows that the source isn't stuck."""
        for row in found:
            self._came = time.monotonic()
            yield row

    def renew(self) -> None:
        """Renew the hold. Raises Conflict if the source was replaced, or another sync has taken it over."""
        self._came = time.monotonic()
        if not self._renewed():
            raise Conflict("The source was removed or replaced meanwhile.")

    def _renewed(self) -> bool:
        ours = Exists(SyncRun.objects.filter(pk=self._run.pk, state=RunState.RUNNING))
        return PatientSource.objects.filter(ours, pk=self._row.pk).update(running_until=self._clock() + HOLD) == 1

    def _keep(self) -> None:
        while not self._over.wait(self._every) and time.monotonic() - self._came < self._stuck:
            close_old_connections()
            try:
                self._renewed()
            except Error as error:
                log.warning("a sync's hold waits for the database", error=type(error).__name__)
                connection.close()
        connection.close()
