"""The Planner's thread in the dispatcher service: it works off Marks, plans ahead, and sleeps until more is due."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
from django.db import close_old_connections, connection

from companion.planning import marks, planner, releases
from companion.planning.planner import Turn
from companion.service.clock import Clock
from companion.service.error_place import kind_and_place
from companion.service.outages import Hindrance, is_outage

log = structlog.get_logger(__name__)
_PAUSE_WITHOUT_DATABASE: Final = 1.0
_PAUSE_AFTER_ERROR: Final = 5.0
_AT_ONCE: Final = 100


class PlanLoop:
    """A thread that plans, with one database connection. It calls `on_planned` when new Messages may be due."""

    def __init__(self, clock: Clock, turn: Turn, wake_seconds: float, on_planned: Callable[[], None]) -> None:
        self._clock, self._turn, self._wake_seconds, self._on_planned = clock, turn, wake_seconds, on_planned
        self._ring = threading.Event()
        self._stop = False
        self._knows_releases = False
        self.trouble: str | None = None
        """A sentence that says why some plans can't be made at present; None if all can be made."""
        self._error: str | None = None
        self._waits = False
        """True if the log has said that planning waits for the database."""
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ring(self) -> None:
        """Wake the thread, so that it looks for work at once."""
        self._ring.set()

    def stop(self, seconds: float | None = None) -> None:
        """End the thread after the present batch. Wait at most `seconds` for it.

        A batch that is cut off is not committed; the next start plans it.
        """
        self._stop = True
        self._ring.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop:
            self._ring.clear()
            close_old_connections()
            self._ring.wait(self._pass())
        connection.close()

    def _pass(self) -> float:
        """Plan all that is due, and return the seconds until the next pass. The next pass repeats what failed."""
        try:
            pause = self._work()
        except Exception as error:  # noqa: BLE001  (a thread that dies would silently end all planning)
            return self._wait_because(error)
        self._waits = False
        return pause

    def _wait_because(self, error: Exception) -> float:
        connection.close()
        if hindered := Hindrance.of(error):
            if not self._waits:
                log.warning("planning waits", why=hindered.clause, error=type(error).__name__)
            self._waits = True
            return _PAUSE_WITHOUT_DATABASE
        self._note_failure(error)
        self.trouble = self._error
        return _PAUSE_AFTER_ERROR

    def _work(self) -> float:
        """Plan all that is due, and return the seconds until more is due."""
        self._error = None
        self._try(self._mark_plans_of_new_releases)
        self._try(self._work_off_marks)
        for schedule_id in planner.due_for_planning(now=self._clock.now(), limit=_AT_ONCE):
            if self._stop:
                return 0
            self._try(partial(self._plan_ahead, schedule_id), schedule_id=str(schedule_id))
        self.trouble = self._error
        return _PAUSE_AFTER_ERROR if self._error else self._until(planner.next_planning())

    def _try(self, step: Callable[[], None], **labels: str) -> None:
        """Run a step. An error in it is logged and shown by health; other plans are made all the same."""
        try:
            step()
        except Exception as error:
            if is_outage(error):
                raise
            # An error in one plan must not end all planning.
            self._note_failure(error, **labels)

    def _note_failure(self, error: Exception, **labels: str) -> None:
        where = kind_and_place(error)
        log.error("planning failed", **labels, **where)
        self._error = f"Planning fails ({where['error']} at {where['place']}). Planned messages are still sent."

    def _mark_plans_of_new_releases(self) -> None:
        if not self._knows_releases:
            with self._turn():
                releases.mark_what_they_move(now=self._clock.now())
            self._knows_releases = True

    def _work_off_marks(self) -> None:
        while not self._stop and (oldest := marks.oldest()):
            moves = marks.work_off(oldest, now=self._clock.now(), turn=self._turn)
            log.info("plans changed", kind=oldest[0].kind, changes=len(oldest), messages=moves.messages)
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
