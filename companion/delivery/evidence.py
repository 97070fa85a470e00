"""Read the evidence about Attempts of unknown outcome: which Attempts these are, and the numbers around each of them.

traces.py draws the conclusions. Nothing here is on the hot path: it is read only while a bot has nothing to send.
"""

import datetime as dt
import uuid
from collections.abc import Collection
from typing import Final

from django.db.models import Q, QuerySet

from companion.clinics.models import Bot, HeardNumber, OtherReader
from companion.delivery import lifecycle, traces
from companion.delivery.traces import MARGIN, Case, Doubtful, Known
from companion.schedules.models import Attempt, AttemptOutcome, Follow, Lane, Message, Status
from companion.schedules.reasons import Reason

LOOKED_FOR: Final = dt.timedelta(days=1)
"""The time after the end of a Message during which its trace is looked for."""
_AT_ONCE: Final = 200
"""The number of Messages that one search considers."""
_TELEGRAMS_CLOCK: Final = dt.timedelta(minutes=2, seconds=1)
"""More than Telegram's clock may differ from ours (dispatch/clock_watch.py); Telegram's times have whole seconds."""
_NEWEST: Final = 100
"""The number of sent Attempts among which the newest number is looked for: more than can be on the wire at once."""
_MOST_AROUND: Final = 10_000
"""The largest number of rows that are read around an Attempt. If there are more, nothing is concluded."""


def next_unsettled(
    bot: Bot, skipped: Collection[uuid.UUID], lease: dt.timedelta, *, now: dt.datetime
) -> Attempt | None:
    """Return the oldest Attempt of unknown outcome whose trace has to be looked for, and which is not `skipped`."""
    messages = [*_failed(bot, now), *_to_be_resent(bot, lease, now)]
    unknown = Attempt.objects.filter(message__in=messages, outcome=AttemptOutcome.UNKNOWN, no_trace_at=None)
    # An erased patient's chat is 0. Telegram can't be asked about it.
    unknown = unknown.filter(telegram_id__gt=0)
    return unknown.exclude(pk__in=skipped).select_related("message").order_by("began_at", "id").first()


def case_of(attempt: Attempt, bot: Bot, lease: dt.timedelta) -> Case:
    """Return everything that is known about an Attempt of unknown outcome."""
    span = Doubtful(attempt.began_at, attempt.ended_at)
    since = bot.numbers_since if bot.other_reader == OtherReader.NOBODY else None
    others = _doubtful(bot).exclude(pk=attempt.pk)
    same_chat = _spans(others.filter(telegram_id=attempt.telegram_id))
    around = others.filter(began_at__gte=span.began_at - lease, began_at__lte=span.over(lease) + lease)
    return Case(
        attempt=span,
        lease=lease,
        known=_known(bot, span, lease, since) if since else [],
        same_chat=same_chat,
        doubtful=1 + len(_spans(around)),
        asked={int(number): dt.datetime.fromisoformat(at) for number, at in (attempt.asked or {}).items()},
        known_since=since,
    )


def _failed(bot: Bot, now: dt.datetime) -> QuerySet[Message, uuid.UUID]:
    """Return Messages that ended as unknown. Messages held by a restore are left out: their Attempts may be lost."""
    # This uses the index messages_failed_by_end.
    failed = Message.objects.filter(clinic=bot.clinic_id, status=Status.FAILED, ended_at__gte=now - LOOKED_FOR)
    unknown = failed.filter(reason=Reason.OUTCOME_UNKNOWN, held_by_restore=False, no_trace_at=None)
    return unknown.order_by("ended_at").values_list("id", flat=True)[:_AT_ONCE]


def _to_be_resent(bot: Bot, lease: dt.timedelta, now: dt.datetime) -> QuerySet[Message, uuid.UUID]:
    """Return Messages that will be sent again as their Schedule says, and that wait for the search for their trace."""
    # This uses the index messages_in_line, a part of each lane.
    soon = Q(lane__in=Lane.values, ready_at__gt=now, ready_at__lte=traces.latest_resend(now, lease))
    waiting = Message.objects.filter(lifecycle.NOT_BEGUN, soon, clinic=bot.clinic_id, resends__gt=0)
    return waiting.exclude(follow_kind=Follow.SHOWN).values_list("id", flat=True)[:_AT_ONCE]


def _sent(bot: Bot) -> QuerySet[Attempt]:
    """Return the sent Attempts: those that got a number, and those that replaced buttons."""
    return Attempt.objects.filter(clinic=bot.clinic_id, outcome=AttemptOutcome.SENT)


def _doubtful(bot: Bot) -> QuerySet[Attempt]:
    """Return the bot's Attempts that are of unknown outcome or on the wire."""
    unknown = ["", AttemptOutcome.UNKNOWN]
    return Attempt.objects.filter(clinic=bot.clinic_id, outcome__in=unknown, no_trace_at=None)


def _spans(attempts: QuerySet[Attempt]) -> list[Doubtful]:
    # Leave out changes of buttons here: a condition in the query would keep it from using an index of Attempts.
    rows = attempts.values_list("began_at", "ended_at", "message__follow_kind")
    return [Doubtful(began, ended) for began, ended, kind in rows if kind != Follow.SHOWN]


def _numbered(attempts: QuerySet[Attempt]) -> list[Known]:
    """Return the numbers that these sent Attempts got. Attempts that replaced buttons got none."""
    rows = attempts.values_list("telegram_message_id", "began_at", "ended_at", "message__follow_kind")
    return [
        Known(number, began, ended)
        for number, began, ended, kind in rows
        if number is not None and ended is not None and kind != Follow.SHOWN
    ]


def _known(bot: Bot, attempt: Doubtful, lease: dt.timedelta, since: dt.datetime) -> list[Known]:
    """Return the numbers whose messages are known, from the newest before the Attempt to the first after it.

    Returns an empty list if there are too many numbers: then nothing is concluded.
    """
    sent = _sent(bot).filter(began_at__gte=since)
    surely_before, over = attempt.began_at - MARGIN, attempt.over(lease)
    earlier = sent.filter(began_at__lt=surely_before, ended_at__lt=surely_before).order_by("-began_at")
    later = _numbered(sent.filter(began_at__gt=over).order_by("began_at")[:_NEWEST])
    around = sent.filter(began_at__gte=surely_before - lease).order_by("began_at")
    if later:
        around = around.filter(began_at__lte=min(later, key=lambda known: known.number).by)
    between = _numbered(around[: _MOST_AROUND + 1])
    if len(between) > _MOST_AROUND:
        return []
    known = {row.number: row for row in (*_numbered(earlier[:_NEWEST]), *later, *between)}
    return [*known.values(), *_heard(bot, since, surely_before, over)]


def _heard(bot: Bot, since: dt.datetime, surely_before: dt.datetime, over: dt.datetime) -> list[Known]:
    """Return the numbers of messages that came in, from the newest before the Attempt to the first after it."""
    heard = HeardNumber.objects.filter(bot=bot.pk, heard_at__gte=since)
    before = heard.filter(heard_at__lt=surely_before).order_by("-number").first()
    from_there = heard.filter(number__gte=before.number) if before else heard
    after = from_there.filter(given_at__gt=over + _TELEGRAMS_CLOCK).order_by("number").first()
    between = from_there.filter(number__lte=after.number) if after else from_there
    return [
        Known(row.number, row.given_at and row.given_at - _TELEGRAMS_CLOCK, row.heard_at)
        for row in between.order_by("number")[:_MOST_AROUND]
    ]
