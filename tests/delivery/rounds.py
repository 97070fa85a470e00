"""Rounds of a bot, as its runner orders them."""

import datetime as dt

from django.db import transaction

from companion.clinics.ids import new_id
from companion.clinics.models import Bot
from companion.delivery.begin import Done, Limits, Round, begin_round
from tests.builders import NOW


def a_round(bot: Bot) -> Round:
    """A round with room for a hundred Attempts."""
    limits = Limits(gap=dt.timedelta(), chat_gap=dt.timedelta())
    return Round(bot.id, bot.clinic_id, [new_id() for _ in range(100)], {}, limits, 60.0)


def begun(bot: Bot, now: dt.datetime = NOW) -> Done:
    """Begin all Messages that are ready."""
    with transaction.atomic():
        return begin_round(a_round(bot), now=now)
