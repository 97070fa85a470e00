"""Rounds of a bot, as its runner gives them to the ledger."""

import datetime as dt

from django.db import transaction

from companion.clinics.keys import new_id
from companion.clinics.models import Bot
from companion.dispatch.begin import Done, Limits, Round, begin_round
from tests.builders import NOW


def a_round(bot: Bot) -> Round:
    """Of all that is ready."""
    limits = Limits(per_second=1_000_000, chat_gap=dt.timedelta())
    return Round(bot.id, bot.clinic_id, [new_id() for _ in range(100)], {}, limits, 60.0)


def begun(bot: Bot, now: dt.datetime = NOW) -> Done:
    """All that is ready by now, begun at once."""
    with transaction.atomic():
        return begin_round(a_round(bot), now=now)
