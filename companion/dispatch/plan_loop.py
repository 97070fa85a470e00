"""The Planner's thread in the dispatcher service: works off Marks, keeps the horizon, sleeps until the next is due."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from functools import partial

import structlog
from django.db import close_old_connections, connection

from companion.planning import marks, planner, releases
from companion.planning.planner import Turn
from companion.service.away import AWAY
from companion.service.clock import Clock
from companion.service.mishap import kind_and_place

log = structlog.get_logger(__name__)
_PAUSE_AFTER_FAILURE = 1.0
_PAUSE_AFTER_MISHAP = 5.0
_AT_ONCE = 100


class PlanLoop:
    """One thread, one connection. `on_planned` hears when new Messages may be due."""

    def __init__(self, clock: Clock, turn: Turn, wake_seconds: float, on_planned: Callable[[], None]) -> None:
        self._clock, self._turn, self._wake_seconds, self._on_planned = clock, turn, wake_seconds, on_planned
        self._ring = threading.Event()
        self._stop = False
        self._knows_releases = False
        self.trouble: str | None = None
        """What keeps it from planning all that is due, in words; None: nothing."""
        self._mishap: str | None = None
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
            except AWAY as error:
                # The database is away or busy: nothing is lost, the same work is found again.
                log.warning("planning waits for the database", error=type(error).__name__)
                connection.close()
                pause = _PAUSE_AFTER_FAILURE
            self._ring.wait(pause)
        connection.close()

    def _work(self) -> float:
        """Does all that is due; returns the seconds until there is more."""
        self._mishap = None
        self._outlive(self._mark_what_releases_move)
        self._outlive(self._work_off_marks)
        for schedule_id in planner.due_for_planning(now=self._clock.now(), limit=_AT_ONCE):
            if self._stop:
                return 0
            self._outlive(partial(self._plan_ahead, schedule_id), schedule_id=str(schedule_id))
        self.trouble = self._mishap
        return _PAUSE_AFTER_MISHAP if self._mishap else self._until(planner.next_planning())

    def _outlive(self, step: Callable[[], None], **which: str) -> None:
        """Carries a step out. A mistake of ours in it is told of, and keeps nothing else from being planned."""
        try:
            step()
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001  (it must not end all planning)
            said = kind_and_place(error)
            log.error("planning failed", **which, **said)  # noqa: TRY400
            self._mishap = f"Planning fails ({said['error']} at {said['place']}). What is planned goes out."

    def _mark_what_releases_move(self) -> None:
        if not self._knows_releases:
            with self._turn():
                releases.mark_what_they_move(now=self._clock.now())
            self._knows_releases = True

    def _work_off_marks(self) -> None:
        while not self._stop and (found := marks.oldest()):
            moves = marks.work_off(found, now=self._clock.now(), turn=self._turn)
            log.info("plans changed", kind=found[0].kind, changes=len(found), messages=moves.messages)
            self._on_planned()

    def _plan_ahead(self, schedule_id: uuid.UUID) -> None:
        planned = planner.plan_ahead(
            schedule_id, now=self._clock.now(), turn=self._turn, on_batch=lambda _: self._on_planned()
        )
        log.info("planned ahead", schedule_id=str(schedule_id), messages=planned)

    def _until(self, at: dt.datetime | None) -> float:
        if at is None:
            return self._wake_seconds
        return min(max((at - self._clock.now()).total_seconds(), 0.01), self._wake_seconds)
