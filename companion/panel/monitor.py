"""The Control Panel's thread in each service: it checks bots, sends alerts and counts past hours.

It decides nothing about a Message. Each service runs this thread, so that alerts are sent even if a service is broken.
The threads of several services don't disturb each other.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connection

from companion.clinics.models import Clinic
from companion.panel import alerts, bot_checks, hour_counts, notices, outside_heartbeat, trail_heads
from companion.panel.outage import Outage
from companion.service import drill
from companion.service.clock import database_now, machine_now
from companion.service.error_place import kind_and_place
from companion.service.timeouts import database_within
from companion.webhooks.sending import sending

log = structlog.stdlib.get_logger(__name__)
_EVERY_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 2.0
_DATABASE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 60.0


@contextmanager
def monitoring() -> Iterator[None]:
    """Check every ten seconds until the block ends, also in an outage of the database, and call the clinics' webhooks.

    In a drill it does nothing.
    """
    if drill.is_on():
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(stop,), name="monitor", daemon=True)
    thread.start()
    try:
        with sending():
            yield
    finally:
        stop.set()
        thread.join(_STOP_SECONDS)


def check_once() -> None:
    """Run all checks once. Raises django.db.Error while the database can't be used."""
    now = database_now()
    _apart(lambda: bot_checks.check_bots(now=now))
    for clinic in Clinic.objects.filter(archived_at=None).order_by("id"):
        _apart(partial(alerts.check_clinic, clinic, now=now))
        _apart(partial(hour_counts.count_past_hours, clinic, now=now))


def _apart(work: Callable[[], None]) -> None:
    """Run a part such that an unexpected error in it doesn't stop the others. Raises django.db.Error."""
    try:
        work()
    except Error:
        raise
    except Exception as error:  # noqa: BLE001 (else the thread would end, and with it all alerts)
        log.error("the control panel's monitor left something out", **kind_and_place(error))  # noqa: TRY400


def _run(stop: threading.Event) -> None:
    in_trouble, outage = False, Outage(settings.DATA_DIR)
    # The first check comes after a wait: a service that has just started has other work to do.
    while not stop.wait(_EVERY_SECONDS):
        well = _try(lambda: _round(outage), quiet=in_trouble)
        if not well:
            outage.lasts(machine_now())
        in_trouble = not well
    connection.close()


def _round(outage: Outage) -> None:
    with database_within(_DATABASE_SECONDS):
        now = database_now()
        _apart(partial(outage.remember, now=now))
    with database_within(_POLL_SECONDS):
        check_once()
    # This comes after the checks: on SQLite the clock is read without the database, so it doesn't show an outage.
    outage.over(machine_now())
    _apart(lambda: notices.deliver(now=database_now()))
    _apart(lambda: outside_heartbeat.send_due(now=database_now()))
    _apart(lambda: trail_heads.tell_daily(now=database_now()))


def _try(work: Callable[[], None], *, quiet: bool) -> bool:
    close_old_connections()
    try:
        work()
    except Error as error:
        if not quiet:
            log.warning("the control panel's monitor waits for the database", error=type(error).__name__)
        connection.close()
        return False
    return True
