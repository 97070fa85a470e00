"""The Planner's thread in the dispatcher service: works off Marks, keeps the horizon, sleeps until the next is due."""

import datetime as dt
import threading
from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from companion.planning import marks, planner, releases
from companion.planning.planner import Turn
from companion.service.clock import Clock

log = structlog.get_logger(__name__)
_PAUSE_AFTER_FAILURE = 1.0
_AT_ONCE = 100


class PlanLoop:
    """One thread, one connection. `on_planned` hears when new Messages may be due."""

    def __init__(self, clock: Clock, turn: Turn, wake_seconds: float, on_planned: Callable[[], None]) -> None:
        self._clock, self._turn, self._wake_seconds, self._on_planned = clock, turn, wake_seconds, on_planned
        self._ring = threading.Event()
        self._stop = False
        self._knows_releases = False
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def ring(self) -> None:
        """Plans may have changed: look at once."""
        self._ring.set()

    def stop(self) -> None:
        """Ends after the batch at hand."""
        self._stop = True
        self._ring.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop:
            self._ring.clear()
            close_old_connections()
            try:
                pause = self._work()
            except (OperationalError, InterfaceError) as error:
                # The database is away or busy: nothing is lost, the same work is found again.
                log.warning("planning waits for the database", error=type(error).__name__)
                connection.close()
                pause = _PAUSE_AFTER_FAILURE
            self._ring.wait(pause)
        connection.close()

    def _work(self) -> float:
        """Does all that is due; returns the seconds until there is more."""
        if not self._knows_releases:
            with self._turn():
                releases.mark_what_they_move(now=self._clock.now())
            self._knows_releases = True
        while found := marks.oldest():
            moves = marks.work_off(found, now=self._clock.now(), turn=self._turn)
            log.info("plans changed", kind=found[0].kind, changes=len(found), messages=moves.messages)
            self._on_planned()
            if self._stop:
                return 0
        for schedule_id in planner.due_for_planning(now=self._clock.now(), limit=_AT_ONCE):
            planned = planner.plan_ahead(
                schedule_id, now=self._clock.now(), turn=self._turn, on_batch=lambda _: self._on_planned()
            )
            log.info("planned ahead", schedule_id=str(schedule_id), messages=planned)
            if self._stop:
                return 0
        return self._until(planner.next_planning())

    def _until(self, at: dt.datetime | None) -> float:
        if at is None:
            return self._wake_seconds
        return min(max((at - self._clock.now()).total_seconds(), 0.01), self._wake_seconds)
