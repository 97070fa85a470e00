"""The threads that call webhooks. In each service, one thread looks for due calls and starts a thread for each webhook.

A receiver that doesn't answer occupies one thread for some seconds, and is then left alone for longer and longer. It
delays no other receiver's calls.
"""

import datetime as dt
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from django.db import Error, connection
from django.db.models import Exists, F, OuterRef, Q

from companion.clinics.sealed import CannotOpen
from companion.service import drill
from companion.service.clock import database_now
from companion.service.error_place import kind_and_place
from companion.service.timeouts import database_within
from companion.webhooks import deliveries, turn
from companion.webhooks.models import Delivery, Webhook

log = structlog.stdlib.get_logger(__name__)
GIVEN_UP: Final = "given up after a day"
_EVERY_SECONDS: Final = 1.0
_AWAY_SECONDS: Final = 5.0
_TIDY_SECONDS: Final = 60.0
_DATABASE_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 2.0
_TURNS: Final = 8
"""The largest number of webhooks that a process calls at the same time."""
_OF_ONE_CLINIC: Final = _TURNS // 2
"""The largest number of these that belong to one clinic: its slow receivers must not occupy all threads."""
_Clinics = Mapping[uuid.UUID, uuid.UUID]
"""The clinics of webhooks, by the webhook's id."""


@contextmanager
def sending() -> Iterator[None]:
    """Make due calls until the block ends, also after the database was away for a while. In a drill, make no calls."""
    if drill.is_on():
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(stop,), name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_SECONDS)


def due(*, now: dt.datetime) -> _Clinics:
    """Return the webhooks that may be called now and have a due call, with their clinics.

    Webhooks without a failed call come first. Among them, the webhook comes first whose last turn is longest ago.
    """
    waiting = Delivery.objects.filter(turn.unblocked(), webhook=OuterRef("pk"), next_try_at__lte=now)
    ready = Webhook.objects.filter(turn.free(now), Exists(waiting))
    in_turn = (F("rests_until").asc(nulls_first=True), F("held_until").asc(nulls_first=True), "pk")
    return dict(ready.order_by(*in_turn).values_list("pk", "clinic"))


def next_turns(ready: _Clinics, running: _Clinics) -> _Clinics:
    """Choose the webhooks that get a free thread, in the given order."""
    chosen: dict[uuid.UUID, uuid.UUID] = {}
    of_clinic = Counter(running.values())
    for id, clinic in ready.items():
        if len(running) + len(chosen) < _TURNS and id not in running and of_clinic[clinic] < _OF_ONE_CLINIC:
            chosen[id] = clinic
            of_clinic[clinic] += 1
    return chosen


def tidy(*, now: dt.datetime) -> None:
    """Delete old deliveries, and give up deliveries that a failing receiver has not accepted within a day."""
    deliveries.drop_old(now=now)
    waited = Delivery.objects.filter(next_try_at__lte=now, since__lt=now - turn.TRIED_FOR, webhook__closed_at=None)
    waited.filter(Q(tries__gt=0) | Q(webhook__failures__gt=0)).update(next_try_at=None, error=GIVEN_UP)


def _run(stop: threading.Event) -> None:
    running: dict[uuid.UUID, uuid.UUID] = {}
    pause, tidied = _EVERY_SECONDS, float("-inf")
    while not stop.wait(pause):
        try:
            with database_within(_DATABASE_SECONDS):
                now = database_now()
                # Pass a copy: each thread removes its webhook from `running` when it ends.
                ready = next_turns(due(now=now), running.copy())
                if time.monotonic() - tidied > _TIDY_SECONDS:
                    tidy(now=now)
                    tidied = time.monotonic()
            pause = _EVERY_SECONDS
        except Error:
            # The monitor alerts people about the database. Here, only wait for it.
            connection.close()
            ready, pause = {}, _AWAY_SECONDS
        except Exception as error:  # noqa: BLE001 (else this process would call no webhook until it is started again)
            log.error("due webhooks were not found", **kind_and_place(error))  # noqa: TRY400
            ready, pause = {}, _AWAY_SECONDS
        for id, clinic in ready.items():
            running[id] = clinic
            threading.Thread(target=_turn, args=(id, stop, running), name="webhook", daemon=True).start()
    connection.close()


def _turn(id: uuid.UUID, stop: threading.Event, running: dict[uuid.UUID, uuid.UUID]) -> None:
    try:
        turn.take(id, stop)
    except (Error, CannotOpen):
        log.warning("a webhook's calls were interrupted", webhook=str(id))
    except Exception as error:  # noqa: BLE001 (it is logged by its kind and place alone, which the thread would not do)
        log.error("a webhook's calls failed", webhook=str(id), **kind_and_place(error))  # noqa: TRY400
    finally:
        connection.close()
        running.pop(id, None)
