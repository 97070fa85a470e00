"""What a person does with the Sandbox's phones: make one, press Start, type, tap, block. For the page and for tests.

Each change becomes the update that Telegram would send the bot. The bot's own calls are methods.py's.
"""

import random
import secrets
import string
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from companion.sandbox import payloads, updates
from companion.sandbox.api import token_hash
from companion.sandbox.models import DELAY_MAX, Phone, SandboxBot, SandboxMessage, SandboxTap, State
from companion.telegram.limits import TEXT_UNITS, is_start_payload, utf16_units

_TOKEN_CHARS: Final = string.ascii_letters + string.digits + "_-"
_CHANCE: Final = secrets.SystemRandom()
# Where Telegram's newer ids lie: too large for 32 bits, as a real list has them.
_BOT_IDS: Final = (7_000_000_000, 7_999_999_999)
_PHONE_IDS: Final = (5_000_000_000, 6_999_999_999)


class NotPossible(Exception):
    """A person can't do this on the phone now; the text says why, for people."""


def make_bot(first_name: str, username: str, chance: random.Random = _CHANCE) -> str:
    """A new bot's token, which is not kept. Numbers of messages and updates begin somewhere, as Telegram's do."""
    telegram_id = _free_id(SandboxBot.objects.all(), _BOT_IDS, chance)
    token = f"{telegram_id}:{''.join(chance.choices(_TOKEN_CHARS, k=35))}"
    SandboxBot.objects.create(
        telegram_id=telegram_id,
        token_hash=token_hash(token),
        first_name=first_name[:64],
        username=username[:32],
        last_update_id=chance.randint(100_000_000, 900_000_000),
    )
    return token


def bot_of(token: str) -> SandboxBot | None:
    """The bot of this token, if the Sandbox has it."""
    return SandboxBot.objects.filter(token_hash=token_hash(token)).first()


def new_phone(first_name: str, language: str = "en", chance: random.Random = _CHANCE) -> Phone:
    """A phone with a fresh, plausible Telegram ID, whose owner has not pressed Start yet."""
    return Phone.objects.create(
        telegram_id=_free_id(Phone.objects.all(), _PHONE_IDS, chance),
        first_name=first_name[:64],
        language=language[:16],
        state=State.NOT_STARTED,
    )


def press_start(bot: SandboxBot, phone: Phone, payload: str = "", now: datetime | None = None) -> SandboxMessage:
    """Start, also by a link's `?start=` payload; it unblocks a blocked bot first. Raises NotPossible."""
    if payload and not is_start_payload(payload):
        raise NotPossible("A start link carries 1 to 64 characters of A-Z a-z 0-9 _ -.")
    if phone.state == State.DEACTIVATED:
        raise NotPossible("This account is deactivated.")
    if phone.state in (State.NOT_STARTED, State.BLOCKED):
        set_state(bot, phone, State.NORMAL, now=now)
    return type_text(bot, phone, f"/start {payload}".strip(), now)


def type_text(bot: SandboxBot, phone: Phone, text: str, now: datetime | None = None) -> SandboxMessage:
    """The person writes to the bot. Raises NotPossible."""
    if phone.state in (State.NOT_STARTED, State.BLOCKED, State.DEACTIVATED):
        raise NotPossible("Nothing can be written here until Start is pressed.")
    text = text.replace("\x00", "").strip()
    if not text or utf16_units(text) > TEXT_UNITS:
        raise NotPossible(f"A message has 1 to {TEXT_UNITS} characters.")
    now = now or timezone.now()
    with transaction.atomic():
        locked = SandboxBot.objects.select_for_update().get(pk=bot.pk)
        locked.last_message_id += 1
        typed = SandboxMessage.objects.create(
            bot=locked, phone=phone, message_id=locked.last_message_id, from_bot=False, text=text, at=now
        )
        updates.queue(locked, "message", payloads.message(typed), now)
        locked.save(update_fields=["last_message_id", "last_update_id"])
    return typed


def tap(bot: SandboxBot, message: SandboxMessage, callback_data: str, now: datetime | None = None) -> SandboxTap:
    """The person taps a button of a message. Raises NotPossible when it has no such button any more."""
    now = now or timezone.now()
    with transaction.atomic():
        locked = SandboxBot.objects.select_for_update().get(pk=bot.pk)
        tapped = SandboxMessage.objects.select_related("bot", "phone").get(pk=message.pk, bot=locked)
        if not any(button.get("callback_data") == callback_data for row in tapped.buttons for button in row):
            raise NotPossible("This button is gone.")
        made = SandboxTap.objects.create(message=tapped, data=callback_data, at=now)
        updates.queue(locked, "callback_query", payloads.callback_query(made), now)
        locked.save(update_fields=["last_update_id"])
    return made


def set_state(
    bot: SandboxBot, phone: Phone, state: State, delay_seconds: float = 3, now: datetime | None = None
) -> None:
    """Makes the phone behave so towards every bot; this bot learns of a block or its end, as from Telegram.

    `delay_seconds` is how late Telegram answers while slow; ValueError outside 0 to 10.
    """
    if not 0 <= delay_seconds <= DELAY_MAX:
        raise ValueError(f"A phone answers 0 to {DELAY_MAX} seconds late.")
    now = now or timezone.now()
    with transaction.atomic():
        locked = SandboxBot.objects.select_for_update().get(pk=bot.pk)
        before = Phone.objects.select_for_update().get(pk=phone.pk).state
        phone.state, phone.delay_seconds = state, delay_seconds
        phone.save(update_fields=["state", "delay_seconds"])
        was, blocked = before == State.BLOCKED, state == State.BLOCKED
        if was != blocked:
            news = payloads.membership(locked, phone, int(now.timestamp()), blocked=blocked)
            updates.queue(locked, "my_chat_member", news, now)
            locked.save(update_fields=["last_update_id"])


def chat(bot: SandboxBot, phone: Phone, last: int = 200) -> list[SandboxMessage]:
    """The newest messages of bot and phone, oldest first."""
    rows = SandboxMessage.objects.filter(bot=bot, phone=phone).select_related("bot", "phone")
    return list(rows.order_by("-at", "-message_id")[:last])[::-1]


def phones(bot: SandboxBot, most: int = 200) -> Sequence[Phone]:
    """The phones, those that the bot wrote with last first, then those that never did, newest first."""
    newest = Max("messages__at", filter=Q(messages__bot=bot))
    return list(Phone.objects.annotate(wrote_at=newest).order_by(F("wrote_at").desc(nulls_last=True), "-pk")[:most])


def _free_id(rows: "QuerySet[SandboxBot] | QuerySet[Phone]", between: tuple[int, int], chance: random.Random) -> int:
    telegram_id = chance.randint(*between)
    while rows.filter(telegram_id=telegram_id).exists():
        telegram_id = chance.randint(*between)
    return telegram_id
