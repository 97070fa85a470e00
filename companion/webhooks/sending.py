"""The threads that call webhooks. In each service, one thread looks for due calls and starts a thread for each webhook.

A receiver that doesn't answer occupies one thread for some seconds, and is then left alone for longer and longer.
Receivers that answer slowly share half of the threads, so they don't delay the others. The clinics take turns.
"""

import datetime as dt
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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
"""The largest number of these that belong to one clinic."""
_SLOW: Final = _TURNS // 2
"""The largest number of these that are known to answer slowly, of all clinics together."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A webhook with due calls."""

    clinic: uuid.UUID
    is_slow: bool = False


_Webhooks = Mapping[uuid.UUID, Waiting]
"""Webhooks by their ids."""


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


def due(*, now: dt.datetime) -> _Webhooks:
    """Return the webhooks that may be called now and have a due call.

    Webhooks without a failed call come first. Among them, the webhook comes first whose last turn is longest ago.
    """
    waiting = Delivery.objects.filter(turn.unblocked(), webhook=OuterRef("pk"), next_try_at__lte=now)
    ready = Webhook.objects.filter(turn.free(now), Exists(waiting))
    in_turn = (F("rests_until").asc(nulls_first=True), F("held_until").asc(nulls_first=True), "pk")
    rows = ready.order_by(*in_turn).values_list("pk", "clinic", "is_slow")
    return {id: Waiting(clinic, is_slow) for id, clinic, is_slow in rows}


def next_turns(ready: _Webhooks, running: _Webhooks, served: Mapping[uuid.UUID, float]) -> _Webhooks:
    """Choose the webhooks that get a free thread.

    First comes the clinic with the fewest threads, then the clinic that was served the longest ago. So each other
    clinic gets at most one thread before a clinic that waits. `served`: when each clinic last got a thread.
    """
    chosen: dict[uuid.UUID, Waiting] = {}
    left = {id: waiting for id, waiting in ready.items() if id not in running}
    last = dict(served)
    while len(running) + len(chosen) < _TURNS:
        taken = [*running.values(), *chosen.values()]
        of_clinic, slow = Counter(waiting.clinic for waiting in taken), sum(waiting.is_slow for waiting in taken)
        fit = [
            id
            for id, waiting in left.items()
            if of_clinic[waiting.clinic] < _OF_ONE_CLINIC and not (waiting.is_slow and slow >= _SLOW)
        ]
        if not fit:
            break
        # Of equals, `min` takes the first: the order of `ready` decides.
        id = min(fit, key=lambda id: (of_clinic[left[id].clinic], last.get(left[id].clinic, float("-inf"))))
        chosen[id] = left.pop(id)
        last[chosen[id].clinic] = float("inf")
    return chosen


def tidy(*, now: dt.datetime) -> None:
    """Delete old deliveries, and give up deliveries that a failing receiver has not accepted within a day."""
    deliveries.drop_old(now=now)
    waited = Delivery.objects.filter(next_try_at__lte=now, since__lt=now - turn.TRIED_FOR, webhook__closed_at=None)
    waited.filter(Q(tries__gt=0) | Q(webhook__rests_until__isnull=False)).update(next_try_at=None, error=GIVEN_UP)


def _run(stop: threading.Event) -> None:
    running: dict[uuid.UUID, Waiting] = {}
    served: dict[uuid.UUID, float] = {}
    pause, tidied = _EVERY_SECONDS, float("-inf")
    while not stop.wait(pause):
        try:
            with database_within(_DATABASE_SECONDS):
                now = database_now()
                # Pass a copy: each thread removes its webhook from `running` when it ends.
                ready = next_turns(due(now=now), running.copy(), served)
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
        for id, webhook in ready.items():
            running[id], served[webhook.clinic] = webhook, time.monotonic()
            threading.Thread(target=_turn, args=(id, stop, running), name="webhook", daemon=True).start()
    connection.close()


def _turn(id: uuid.UUID, stop: threading.Event, running: dict[uuid.UUID, Waiting]) -> None:
    try:
        turn.take(id, stop)
    except (Error, CannotOpen):
        log.warning("a webhook's calls were interrupted", webhook=str(id))
    except Exception as error:  # noqa: BLE001 (it is logged by its kind and place alone, which the thread would not do)
        log.error("a webhook's calls failed", webhook=str(id), **kind_and_place(error))  # noqa: TRY400
    finally:
        connection.close()
        running.pop(id, None)
