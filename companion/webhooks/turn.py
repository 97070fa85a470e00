"""A process's turn with one webhook: it makes the due calls, and notes their results.

A hold in the webhook's row lets only one process at a time have a turn, so that the events of one subject arrive in
their order. If a process is killed after a call and before its note, the call is made again with the same id.
"""

import datetime as dt
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import reduce
from operator import or_
from typing import Final

import structlog
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Least

from companion.service.clock import database_now
from companion.webhooks import payload, signing, webhooks
from companion.webhooks.calling import Answer, Receiver
from companion.webhooks.models import Delivery, Webhook

log = structlog.stdlib.get_logger(__name__)
GONE: Final = 410
"""The answer of a receiver that wants no more calls."""
HELD_FOR: Final = dt.timedelta(seconds=60)
"""The length of a hold. It is longer than a turn, so that only a dead or frozen process loses its hold."""
SECONDS: Final = 10.0
"""The length of a turn in seconds. After it, other webhooks that wait get their turn."""
SLOW_SECONDS: Final = 2.0
"""A call that takes longer ends the turn, and lets the receiver wait among the slow receivers."""
TRIED_FOR: Final = dt.timedelta(hours=24)
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 6 * 3600.0
"""The seconds before a delivery's second try, and the longest pause between two tries. Each pause is four times the
pause before.
"""
FIRST_REST, LONGEST_REST = 5.0, 300.0
"""The seconds for which a receiver is left alone after a failed call, and the longest such rest. Each rest is twice the
rest before.
"""
MOST_FAILURES: Final = 1000
"""More failed calls in a row are not counted."""
_AT_ONCE: Final = 50
_DIGITS: Final = 15
"""The largest number of digits in a number of seconds. A longer number is ignored."""
Clock = Callable[[], dt.datetime]
_NOTED_TOGETHER: Final = 20
_BUSY: Final = frozenset({408, 425, 429})
"""Answers below 500 that mean "try later", and not "this event is wrong"."""


def free(now: dt.datetime) -> Q:
    """Select open webhooks that no process calls now, and that are not left alone after a failed call."""
    unheld = Q(held_until=None) | Q(held_until__lte=now)
    return unheld & (Q(rests_until=None) | Q(rests_until__lte=now)) & Q(closed_at=None)


def unblocked() -> Q:
    """Select deliveries for which no earlier event of the same subject waits."""
    earlier = Delivery.objects.filter(
        webhook=OuterRef("webhook"),
        subject=OuterRef("subject"),
        number__lt=OuterRef("number"),
        next_try_at__isnull=False,
    )
    return Q(~Exists(earlier))


def take(
    id: uuid.UUID,
    stop: threading.Event,
    *,
    seconds: float = SECONDS,
    slow_seconds: float = SLOW_SECONDS,
    clock: Clock = database_now,
) -> None:
    """Make a webhook's due calls for a while, unless another process does so."""
    turn_id, now = uuid.uuid4(), clock()
    if not Webhook.objects.filter(free(now), pk=id).update(held_by=turn_id, held_until=now + HELD_FOR):
        return
    try:
        webhook = webhooks.opened(id)
        if webhook is None:
            _rest(id, now, 0)
            return
        turn = _Turn(webhook, Receiver(webhook.url), time.monotonic() + seconds, slow_seconds, stop, clock)
        try:
            turn.call_all()
        finally:
            turn.receiver.close()
            turn.note_accepted()
            turn.note_pace()
    finally:
        # Keep the end of the turn: the order of the next turns depends on it.
        Webhook.objects.filter(pk=id, held_by=turn_id).update(held_by=None, held_until=clock())


@dataclass(slots=True)
class _Turn:
    webhook: Webhook
    receiver: Receiver
    until: float
    slow_seconds: float
    stop: threading.Event
    clock: Clock
    was_slow: bool = False
    accepted: dict[int, list[Delivery]] = field(default_factory=dict)
    """The accepted deliveries that are not noted yet, by the code of the answer."""

    def call_all(self) -> None:
        """Make calls until the time is over, nothing is due, or the receiver has to be left alone."""
        while batch := _next(self.webhook.pk, now=self.clock()):
            for delivery in batch:
                if self.stop.is_set() or time.monotonic() > self.until or not self._call(delivery) or self.was_slow:
                    return
            self.note_accepted()

    def note_accepted(self) -> None:
        """Note the accepted deliveries, many in one commit."""
        now = self.clock() if self.accepted else None
        for code, deliveries in self.accepted.items():
            rows = Delivery.objects.filter(_as_called(deliveries), taken_at=None)
            rows.update(taken_at=now, answer=code, error="", next_try_at=None, tries=F("tries") + 1)
        self.accepted.clear()

    def note_pace(self) -> None:
        """Note whether the receiver is slow, if that has changed."""
        if self.webhook.is_slow != self.was_slow:
            Webhook.objects.filter(pk=self.webhook.pk).update(is_slow=self.was_slow)

    def _call(self, delivery: Delivery) -> bool:
        """Make one call. Return whether the receiver may be called again in this turn."""
        now, body = self.clock(), payload.body_of(delivery)
        keys = webhooks.keys_of(self.webhook, now=now)
        began = time.monotonic()
        answer = self.receiver.post(body, signing.headers(keys, delivery.id, body, at=now))
        self.was_slow = time.monotonic() - began > self.slow_seconds
        if answer.code is None or answer.error:
            return self._failed(delivery, answer, self.clock())
        self.accepted.setdefault(answer.code, []).append(delivery)
        if sum(map(len, self.accepted.values())) >= _NOTED_TOGETHER:
            self.note_accepted()
        if self.webhook.failures:
            Webhook.objects.filter(pk=self.webhook.pk).update(failures=0, rests_until=None)
            self.webhook.failures = 0
        return True

    def _failed(self, delivery: Delivery, answer: Answer, now: dt.datetime) -> bool:
        """Note a failed call. Return whether the receiver may be called again in this turn."""
        next_try_at = _next_try(delivery, answer, now)
        Delivery.objects.filter(_as_called([delivery]), taken_at=None).update(
            answer=answer.code, error=answer.error[:100], tries=delivery.tries + 1, next_try_at=next_try_at
        )
        if answer.code == GONE:
            Webhook.objects.filter(pk=self.webhook.pk).update(closed_at=now)
            log.warning("a webhook was closed: its receiver answered 410", webhook=str(self.webhook.pk))
            return False
        if answer.code is not None and answer.code < 500 and answer.code not in _BUSY:
            # The receiver works, but doesn't accept this event. Go on with other events.
            _count_failure(self.webhook.pk, rests_until=None)
            self.webhook.failures += 1
            return True
        _rest(self.webhook.pk, now, wanted_pause(answer, now))
        return False


def _as_called(deliveries: Sequence[Delivery]) -> Q:
    """Select these deliveries unless a person has asked meanwhile for another call: a new day of tries began then."""
    return reduce(or_, (Q(number=delivery.number, since=delivery.since) for delivery in deliveries))


def _next(id: uuid.UUID, *, now: dt.datetime) -> list[Delivery]:
    """Return due deliveries, at most one of each subject: the first that was not accepted."""
    ready = Delivery.objects.filter(unblocked(), webhook=id, next_try_at__lte=now)
    return list(ready.order_by("next_try_at", "number")[:_AT_ONCE])


def _next_try(delivery: Delivery, answer: Answer, now: dt.datetime) -> dt.datetime | None:
    """Return the instant of the next try; None to give up. Calls of a closed webhook wait until it is opened again."""
    if answer.code == GONE:
        return now
    pause = min(FIRST_PAUSE * 4.0 ** min(delivery.tries, 10), LONGEST_PAUSE) * random.uniform(0.9, 1.1)  # noqa: S311
    at = now + dt.timedelta(seconds=max(pause, wanted_pause(answer, now)))
    return at if at <= delivery.since + TRIED_FOR else None


def wanted_pause(answer: Answer, now: dt.datetime) -> float:
    """Return the number of seconds for which the receiver wants no calls, at most our longest pause.

    A longer pause would use up the time after which a delivery is given up.
    """
    wanted = answer.retry_after.strip()
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= _DIGITS:
        return min(float(wanted), LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(wanted)
    except (ValueError, OverflowError):
        return 0
    return min(max((at.replace(tzinfo=at.tzinfo or dt.UTC) - now).total_seconds(), 0), LONGEST_PAUSE)


def _rest(id: uuid.UUID, now: dt.datetime, wanted: float) -> None:
    """Leave the receiver alone for a while after a failed call, at least for the `wanted` seconds."""
    failures = Webhook.objects.values_list("failures", flat=True).filter(pk=id).first() or 0
    rest = max(min(FIRST_REST * 2.0 ** min(failures, 10), LONGEST_REST), wanted)
    _count_failure(id, rests_until=now + dt.timedelta(seconds=rest))


def _count_failure(id: uuid.UUID, *, rests_until: dt.datetime | None) -> None:
    Webhook.objects.filter(pk=id).update(failures=Least(F("failures") + 1, MOST_FAILURES), rests_until=rests_until)
