"""A process's turn with one webhook: it makes the calls that are due, and notes what came of them.

By a hold in the webhook's row one process at a time has a turn, so that the events of one subject arrive in their
order. A process killed between a call and its note makes the call again, under the same id.
"""

import datetime as dt
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Final

import structlog
from django.db.models import Exists, F, OuterRef, Q

from companion.service.clock import database_now
from companion.webhooks import payload, signing, webhooks
from companion.webhooks.calling import Line, Said
from companion.webhooks.models import Delivery, Webhook

log = structlog.stdlib.get_logger(__name__)
GONE: Final = 410
"""The receiver wants no more calls."""
HELD_FOR: Final = dt.timedelta(seconds=60)
"""Longer than a turn takes, so that only a dead or frozen process loses its hold."""
SECONDS: Final = 10.0
"""The length of a turn. Then the process looks for others who wait."""
TRIED_FOR: Final = dt.timedelta(hours=24)
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 6 * 3600.0
"""Seconds before the second try of a delivery, and the most between two; each is four times the one before."""
FIRST_REST, LONGEST_REST = 5.0, 300.0
"""Seconds for which a receiver rests that doesn't answer; each rest is twice the one before."""
_AT_ONCE: Final = 50
_DIGITS: Final = 15
"""The most digits of a number of seconds that is read as such."""
Clock = Callable[[], dt.datetime]
_NOTED_TOGETHER: Final = 20
_BUSY: Final = frozenset({408, 425, 429})
"""Answers below 500 that say "later" rather than "not this"."""


def free(now: dt.datetime) -> Q:
    """Select webhooks that nobody calls now, and that don't rest."""
    unheld = Q(held_until=None) | Q(held_until__lte=now)
    return unheld & (Q(rests_until=None) | Q(rests_until__lte=now)) & Q(closed_at=None)


def unblocked() -> Q:
    """Select deliveries before which no event of the same subject waits."""
    earlier = Delivery.objects.filter(
        webhook=OuterRef("webhook"),
        subject=OuterRef("subject"),
        number__lt=OuterRef("number"),
        next_try_at__isnull=False,
    )
    return Q(~Exists(earlier))


def take(id: uuid.UUID, stop: threading.Event, *, seconds: float = SECONDS, clock: Clock = database_now) -> None:
    """Call one webhook for a while with what is due, unless another process does so."""
    own, now = uuid.uuid4(), clock()
    if not Webhook.objects.filter(free(now), pk=id).update(held_by=own, held_until=now + HELD_FOR):
        return
    try:
        webhook = webhooks.opened(id)
        if webhook is None:
            _rest(id, now, 0)
            return
        turn = _Turn(webhook, Line(webhook.url), time.monotonic() + seconds, stop, clock)
        try:
            turn.call_all()
        finally:
            turn.line.close()
            turn.note_taken()
    finally:
        # The end of the turn stays: it says whose turn comes next.
        Webhook.objects.filter(pk=id, held_by=own).update(held_by=None, held_until=clock())


@dataclass(slots=True)
class _Turn:
    webhook: Webhook
    line: Line
    until: float
    stop: threading.Event
    clock: Clock
    taken: dict[int, list[int]] = field(default_factory=dict)
    """The numbers of deliveries that were taken and are not noted yet, by the answer's code."""

    def call_all(self) -> None:
        """Call until the time is over, nothing is due, or the receiver needs a rest."""
        while batch := _next(self.webhook.pk, now=self.clock()):
            for delivery in batch:
                if self.stop.is_set() or time.monotonic() > self.until or not self._call(delivery):
                    return
            self.note_taken()

    def note_taken(self) -> None:
        """Note the deliveries that were taken, many in one commit."""
        now = self.clock() if self.taken else None
        for code, numbers in self.taken.items():
            own = Delivery.objects.filter(number__in=numbers, taken_at=None)
            own.update(taken_at=now, answer=code, error="", next_try_at=None, tries=F("tries") + 1)
        self.taken.clear()

    def _call(self, delivery: Delivery) -> bool:
        """Make one call. Returns whether the receiver may be called on."""
        now, body = self.clock(), payload.body_of(delivery)
        keys = webhooks.keys_of(self.webhook, now=now)
        said = self.line.post(body, signing.headers(keys, delivery.id, body, at=now))
        if said.code is None or said.error:
            return self._failed(delivery, said, self.clock())
        self.taken.setdefault(said.code, []).append(delivery.number)
        if sum(map(len, self.taken.values())) >= _NOTED_TOGETHER:
            self.note_taken()
        if self.webhook.failures:
            Webhook.objects.filter(pk=self.webhook.pk).update(failures=0, rests_until=None)
            self.webhook.failures = 0
        return True

    def _failed(self, delivery: Delivery, said: Said, now: dt.datetime) -> bool:
        Delivery.objects.filter(pk=delivery.pk, taken_at=None).update(
            answer=said.code, error=said.error[:100], tries=delivery.tries + 1, next_try_at=_again(delivery, said, now)
        )
        if said.code == GONE:
            Webhook.objects.filter(pk=self.webhook.pk).update(closed_at=now)
            log.warning("a webhook was closed: its receiver answered 410", webhook=str(self.webhook.pk))
            return False
        if said.code is not None and said.code < 500 and said.code not in _BUSY:
            # It works, but doesn't take this event. Others go on.
            return True
        _rest(self.webhook.pk, now, wanted_pause(said, now))
        return False


def _next(id: uuid.UUID, *, now: dt.datetime) -> list[Delivery]:
    """Return what is due, at most one event of each subject: its first that was not taken."""
    ready = Delivery.objects.filter(unblocked(), webhook=id, next_try_at__lte=now)
    return list(ready.order_by("next_try_at", "number")[:_AT_ONCE])


def _again(delivery: Delivery, said: Said, now: dt.datetime) -> dt.datetime | None:
    """Return the instant of the next try; None: there is none. A closed webhook's calls wait for its opening."""
    if said.code == GONE:
        return now
    pause = min(FIRST_PAUSE * 4.0 ** min(delivery.tries, 10), LONGEST_PAUSE) * random.uniform(0.9, 1.1)  # noqa: S311
    at = now + dt.timedelta(seconds=max(pause, wanted_pause(said, now)))
    return at if at <= delivery.since + TRIED_FOR else None


def wanted_pause(said: Said, now: dt.datetime) -> float:
    """Return the seconds until the receiver wants to be called again. A longer time than our longest pause would use up
    the day after which a delivery is given up.
    """
    told = said.retry_after.strip()
    if told.isascii() and told.isdigit() and len(told) <= _DIGITS:
        return min(float(told), LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(told)
    except (ValueError, OverflowError):
        return 0
    return min(max((at.replace(tzinfo=at.tzinfo or dt.UTC) - now).total_seconds(), 0), LONGEST_PAUSE)


def _rest(id: uuid.UUID, now: dt.datetime, wanted: float) -> None:
    """Leave the receiver alone for a while."""
    failures = Webhook.objects.values_list("failures", flat=True).filter(pk=id).first() or 0
    rest = max(min(FIRST_REST * 2.0 ** min(failures, 10), LONGEST_REST), wanted)
    until = now + dt.timedelta(seconds=rest)
    Webhook.objects.filter(pk=id).update(failures=min(failures + 1, 1000), rests_until=until)
