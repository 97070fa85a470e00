"""A check of two assumptions behind the proof of unknown outcomes: one counter, and an edit that changes nothing.

It sends two messages to an admin's chat. docs/reliability.md says what depends on the result.
"""

import asyncio
import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Final

from django.conf import settings
from django.db import transaction

from companion.clinics import bots, opt_outs
from companion.clinics.bot_api import bot_api_client
from companion.clinics.models import Bot, Clinic, HeardNumber, Role
from companion.clinics.refusals import Conflict
from companion.delivery.begin import take_slot
from companion.dispatch import pace
from companion.panel.check import CheckResult, Group, failed, ok, warning
from companion.panel.models import AlertContact
from companion.planning.answers import answer
from companion.schedules import buttons
from companion.schedules.models import Attempt, AttemptOutcome, Lane, Message, Status
from companion.service import drill
from companion.service.clock import database_now
from companion.telegram.client import BotToken, CallFailed
from companion.telegram.methods import look_for
from companion.telegram.outcomes import Trace

_SENT_WITHIN: Final = 60.0
_HEARD_WITHIN: Final = 5.0
"""The seconds in which the listener stores messages that came in between."""
_POLL_SECONDS: Final = 0.5
_FAR: Final = 1_000_000
"""A distance so large that no message has such a number yet."""
_NO_PROOF: Final = "Don't rely on the proof of unknown outcomes, and tell the makers of this product."


def admin_of(clinic: Clinic, email: str | None) -> AlertContact:
    """The admin whose chat gets the messages: the first with a Telegram ID for alerts. Raises Conflict."""
    if drill.is_on():
        raise Conflict(drill.NOT_IN_A_DRILL)
    admins = AlertContact.objects.filter(
        clinic=clinic, telegram_id__isnull=False, member__role=Role.ADMIN, member__joined_at__isnull=False
    )
    if email:
        admins = admins.filter(member__user__email__iexact=email)
    for contact in admins.select_related("clinic", "member__user").order_by("id"):
        if not opt_outs.has_stopped(clinic, contact.telegram_id):
            return contact
    raise Conflict(
        "No such admin of this clinic has entered a Telegram ID. Sign in, open Alerts in the Control Panel, enter your "
        "Telegram ID there, and press Start in the bot's chat."
    )


def check(contact: AlertContact) -> Iterator[CheckResult]:
    """Send the two messages, and compare their numbers and Telegram's answers with the assumptions."""
    clinic, chat = contact.clinic, contact.telegram_id
    bot = bots.serving(sandbox=settings.SANDBOX_ON).filter(clinic=clinic).first()
    if bot is None or chat is None:
        raise Conflict("No bot sends here. An admin connects one in Settings.")
    messages = _queued(clinic, chat)
    _wait(lambda: not _pending(messages), _SENT_WITHIN)
    numbers = [message.telegram_message_id for message in _fresh(messages)]
    if None in numbers:
        advice = "Check that the dispatcher runs and that the bot may write to this chat: open the message's page."
        yield failed(Group.NUMBERS, "Two messages to the admin's chat", "not sent", advice)
        return
    first, second = (int(number or 0) for number in numbers)
    yield ok(Group.NUMBERS, "Two messages to the admin's chat", f"sent, with the numbers {first} and {second}")
    yield _counter(bot, first, second)
    yield from asyncio.run(_edits(bot, chat, messages, first, second))


def _queued(clinic: Clinic, chat: int) -> list[Message]:
    now = database_now()
    words = "Test {} of 2 of this bot's message numbers. You need not do anything."
    with transaction.atomic():
        return [
            answer(
                clinic,
                telegram_id=chat,
                patient=None,
                lane=Lane.ANSWER,
                text=words.format(number),
                now=now + number * dt.timedelta(microseconds=1),
                buttons=rows,
            )
            for number, rows in ((1, None), (2, buttons.answer_shown(uuid.uuid4(), "A button that does nothing")))
        ]


def _pending(messages: list[Message]) -> bool:
    return any(message.status == Status.PENDING for message in _fresh(messages))


def _fresh(messages: list[Message]) -> list[Message]:
    found = Message.objects.in_bulk([message.pk for message in messages])
    return [found[message.pk] for message in messages]


def _counter(bot: Bot, first: int, second: int) -> CheckResult:
    name = "One counter, which grows by one"
    if second <= first:
        return failed(Group.NUMBERS, name, "the second number is not above the first", _NO_PROOF)
    _wait(lambda: not _nobodys(bot, first, second), _HEARD_WITHIN)
    if count := len(_nobodys(bot, first, second)):
        advice = (
            "Another program may use this bot, or the listener is behind: end that program, and try again. If the "
            f"result stays the same, the counter doesn't work as assumed. {_NO_PROOF}"
        )
        return warning(Group.NUMBERS, name, f"{count} numbers between the two belong to no message", advice)
    return ok(Group.NUMBERS, name, "each number between the two is accounted for")


def _nobodys(bot: Bot, first: int, second: int) -> set[int]:
    """The numbers between the two that belong to no known message; a thousand at most."""
    between = range(first + 1, min(second, first + 1001))
    span = {"clinic": bot.clinic_id, "began_at__gte": database_now() - dt.timedelta(minutes=5)}
    ours = Attempt.objects.filter(**span, outcome=AttemptOutcome.SENT).values_list("telegram_message_id", flat=True)
    heard = HeardNumber.objects.filter(bot=bot, number__gt=first, number__lt=second).values_list("number", flat=True)
    return set(between) - {number for number in ours if number is not None} - set(heard)


async def _edits(bot: Bot, chat: int, messages: list[Message], first: int, second: int) -> list[CheckResult]:
    """Ask for both messages, for a number that no message has, and for a number of another chat."""
    plain, with_button = messages
    asked = [
        ("An edit that changes nothing", first, None, plain.text, Trace.HERE),
        ("The same under a message with a button", second, with_button.buttons, with_button.text, Trace.HERE),
        ("A number that no message has", second + _FAR, None, "", Trace.NOT_HERE),
    ]
    if (others := await asyncio.to_thread(_in_another_chat, bot, chat)) is not None:
        asked.append(("A number of another chat", others, None, "", Trace.NOT_HERE))
    async with bot_api_client(concurrency=1) as client:
        results = []
        for name, number, rows, text, expected in asked:
            await asyncio.to_thread(_take_slot, bot)
            try:
                found = await look_for(client, BotToken(bot.token), chat, number, rows, text or "")
            except CallFailed as failure:
                why = failure.outcome.note or f"error {failure.outcome.error_code}"
                results.append(warning(Group.NUMBERS, name, f"no clear answer ({why})", "Try again."))
                continue
            right = found is expected
            value = "Telegram answers as expected" if right else f"Telegram answers otherwise ({found.value})"
            results.append(ok(Group.NUMBERS, name, value) if right else failed(Group.NUMBERS, name, value, _NO_PROOF))
        return results


def _in_another_chat(bot: Bot, chat: int) -> int | None:
    """The number of a message that was sent to another chat lately; None if there is none."""
    lately = database_now() - dt.timedelta(days=1)
    sent = Attempt.objects.filter(clinic=bot.clinic_id, began_at__gte=lately, outcome=AttemptOutcome.SENT)
    others = sent.exclude(telegram_id=chat).order_by("-began_at")
    return others.values_list("telegram_message_id", flat=True).first()


def _take_slot(bot: Bot) -> None:
    """Wait for a slot of the bot's rate, as for any other call."""
    wanted = settings.COMPANION
    now = database_now()
    with transaction.atomic():
        slot = take_slot(bot.pk, pace.limits(wanted.rate_per_second, wanted.rate_per_chat), now=now)
    time.sleep(max((slot - now).total_seconds(), 0))


def _wait(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
