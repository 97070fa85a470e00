"""A dispatcher's day with the clock passed in: the real Planner, last look and records, without Telegram."""

import datetime as dt

from django.db import transaction

from companion.clinics.models import Bot
from companion.delivery import lifecycle
from companion.delivery.begin import Begun, begin_round
from companion.delivery.store import Record
from companion.planning import marks, planner
from companion.schedules.models import AttemptOutcome, Message, Status
from tests.delivery.rounds import a_round

_MANY = 1000


def plan(*, now: dt.datetime) -> None:
    """Do all that the Planner has to do now."""
    while found := marks.oldest():
        marks.work_off(found, now=now)
    for schedule_id in planner.due_for_planning(now=now, limit=_MANY):
        planner.plan_ahead(schedule_id, now=now)


def expire(*, now: dt.datetime) -> None:
    """Let late Messages fail."""
    with transaction.atomic():
        lifecycle.expire(now=now, limit=_MANY)


def deliver(bot: Bot, *, now: dt.datetime) -> list[Begun]:
    """Send all Messages that are ready now; Telegram accepts each."""
    sent: list[Begun] = []
    while True:
        with transaction.atomic():
            came = begin_round(a_round(bot), now=now)
            lifecycle.record([_sent(attempt, now) for attempt in came.begun])
        sent += came.begun
        if came.next_ready is None or came.next_ready > now:
            return sent


def run(bot: Bot, *, since: dt.datetime, until: dt.datetime) -> None:
    """Let this time pass: plan at its start, then send at each instant at which a Message is ready."""
    plan(now=since)
    expire(now=since)
    pending = Message.objects.filter(clinic_id=bot.clinic_id, status=Status.PENDING, ready_at__lt=until)
    while (ready := pending.order_by("ready_at").values_list("ready_at", flat=True).first()) is not None:
        deliver(bot, now=max(ready, since))


def _sent(begun: Begun, now: dt.datetime) -> Record:
    attempt = begun.attempt
    return Record(begun.message, attempt, now, AttemptOutcome.SENT, Status.SENT, telegram_message_id=1)
