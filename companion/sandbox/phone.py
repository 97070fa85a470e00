"""Act for a person on a Sandbox phone: press Start, type, tap, block. The page with the phones and the tests use this.

Each act makes the update that Telegram would send to the bot. A bot's calls are in methods.py.
"""

import random
import secrets
import string
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from companion.sandbox import payloads, updates
from companion.sandbox.api import token_hash
from companion.sandbox.models import (
    DELAY_MAX,
    FileKind,
    Phone,
    SandboxBot,
    SandboxFile,
    SandboxMessage,
    SandboxTap,
    State,
)
from companion.sandbox.rules import EDITABLE_FOR
from companion.telegram.limits import TEXT_UNITS, is_start_payload, utf16_units

FILE_MAX: Final = 25 * 2**20
"""Larger than a bot can fetch, so that this case can be tried, too."""
CAPTION_MAX: Final = 1024
_HERE: Final = Path(__file__).parent
_SAMPLES: Final = {FileKind.PHOTO: "photo.jpg", FileKind.VOICE: "voice.ogg"}
_TOKEN_CHARS: Final = string.ascii_letters + string.digits + "_-"
_CHANCE: Final = secrets.SystemRandom()
# Telegram's newer ids lie here: too large for 32 bits, as in a real list of patients.
_BOT_IDS: Final = range(7_000_000_000, 8_000_000_000)
_PHONE_IDS: Final = range(5_000_000_000, 7_000_000_000)


class NotPossible(Exception):
    """A person can't do this on the phone now. The text says why, for people."""


def make_bot(first_name: str, username: str, chance: random.Random = _CHANCE) -> str:
    """Make a bot and return its token, of which only a hash is kept. Its update numbers start at random."""
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
    """Return the bot with this token; None if there is none."""
    return SandboxBot.objects.filter(token_hash=token_hash(token)).first()


def new_phone(bot: SandboxBot, first_name: str, language: str = "en", chance: random.Random = _CHANCE) -> Phone:
    """Make a phone with a new, plausible Telegram ID, whose owner has not pressed Start yet."""
    return Phone.objects.create(
        bot=bot,
        telegram_id=_free_id(Phone.objects.all(), _PHONE_IDS, chance),
        first_name=first_name[:64],
        language=language[:16],
        state=State.NOT_STARTED,
    )


def press_start(bot: SandboxBot, phone: Phone, payload: str = "", now: datetime | None = None) -> SandboxMessage:
    """Press Start, or open a link with a `?start=` payload. Unblocks a blocked bot first. Raises NotPossible."""
    if payload and not is_start_payload(payload):
        raise NotPossible("A start link carries 1 to 64 characters of A-Z a-z 0-9 _ -.")
    if phone.state == State.DEACTIVATED:
        raise NotPossible("This account is deactivated.")
    if phone.state in (State.NOT_STARTED, State.BLOCKED):
        set_state(bot, phone, State.NORMAL, now=now)
    return type_text(bot, phone, f"/start {payload}".strip(), now)


def type_text(bot: SandboxBot, phone: Phone, text: str, now: datetime | None = None) -> SandboxMessage:
    """Write to the bot. Raises NotPossible."""
    if phone.state in (State.NOT_STARTED, State.BLOCKED, State.DEACTIVATED):
        raise NotPossible("Nothing can be written here until Start is pressed.")
    return _write(bot, phone, _typed(text, TEXT_UNITS), None, now or timezone.now())


def edit_text(
    bot: SandboxBot, phone: Phone, message: SandboxMessage, text: str, now: datetime | None = None
) -> SandboxMessage:
    """Change the text or caption of the person's message. The same text changes nothing. Raises NotPossible."""
    if phone.state in (State.NOT_STARTED, State.BLOCKED, State.DEACTIVATED):
        raise NotPossible("Nothing can be edited here until Start is pressed.")
    now = now or timezone.now()
    with transaction.atomic():
        locked = SandboxBot.objects.select_for_update().get(pk=bot.pk)
        edited = SandboxMessage.objects.select_related("bot", "phone", "file").get(pk=message.pk, bot=locked)
        if edited.from_bot or edited.phone_id != phone.pk or edited.at <= now - EDITABLE_FOR:
            raise NotPossible("Only a message that you sent in the last 48 hours can be edited.")
        text = _typed(text, CAPTION_MAX if edited.file_id else TEXT_UNITS)
        if text == edited.text:
            return edited
        edited.text, edited.edited_at = text, now
        edited.save(update_fields=["text", "edited_at"])
        updates.queue(locked, "edited_message", payloads.message(edited), now)
        locked.save(update_fields=["last_update_id"])
    return edited


def send_file(
    bot: SandboxBot,
    phone: Phone,
    kind: FileKind,
    content: bytes = b"",
    name: str = "",
    caption: str = "",
    now: datetime | None = None,
) -> SandboxMessage:
    """Send a file to the bot; without content a sample photo or voice note. Raises NotPossible."""
    if phone.state in (State.NOT_STARTED, State.BLOCKED, State.DEACTIVATED):
        raise NotPossible("Nothing can be sent here until Start is pressed.")
    content = content or _sample(kind)
    if len(content) > FILE_MAX:
        raise NotPossible(f"A practice phone sends files of up to {FILE_MAX // 2**20} MB.")
    file = SandboxFile(
        bot=bot,
        file_id=secrets.token_urlsafe(36),
        kind=kind,
        name=name.replace("\x00", "")[:255],
        content=content,
        size=len(content),
        seconds=_seconds(content) if kind == FileKind.VOICE else 0,
    )
    return _write(bot, phone, caption.replace("\x00", "").strip()[:CAPTION_MAX], file, now or timezone.now())


def tap(bot: SandboxBot, message: SandboxMessage, callback_data: str, now: datetime | None = None) -> SandboxTap:
    """Tap a button of a message. Raises NotPossible if the message has no such button any more."""
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
    """Set the phone's behaviour. The bot gets an update about a block or its end.

    `delay_seconds` is the delay of Telegram's answer while slow. Raises ValueError outside 0 to 10.
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
            change = payloads.membership(locked, phone, int(now.timestamp()), blocked=blocked)
            updates.queue(locked, "my_chat_member", change, now)
            locked.save(update_fields=["last_update_id"])


def chat(bot: SandboxBot, phone: Phone, last: int = 200) -> list[SandboxMessage]:
    """Return the newest messages of bot and phone, the oldest first."""
    rows = SandboxMessage.objects.filter(bot=bot, phone=phone).select_related("bot", "phone", "file")
    rows = rows.defer("file__content")
    return list(rows.order_by("-at", "-message_id")[:last])[::-1]


def editable(bot: SandboxBot, phone: Phone, now: datetime, last: int = 20) -> list[SandboxMessage]:
    """Return the person's messages that can still be edited, the newest first."""
    own = SandboxMessage.objects.filter(bot=bot, phone=phone, from_bot=False, at__gt=now - EDITABLE_FOR)
    return list(own.exclude(text="").order_by("-at", "-message_id")[:last])


def phones(bot: SandboxBot, most: int = 200) -> Sequence[Phone]:
    """Return the bot's phones: first by their newest message with it, then those without any, the newest first."""
    newest = Max("messages__at", filter=Q(messages__bot=bot))
    own = Phone.objects.filter(bot=bot).annotate(wrote_at=newest)
    return list(own.order_by(F("wrote_at").desc(nulls_last=True), "-pk")[:most])


def _write(bot: SandboxBot, phone: Phone, text: str, file: SandboxFile | None, now: datetime) -> SandboxMessage:
    with transaction.atomic():
        locked = SandboxBot.objects.select_for_update().get(pk=bot.pk)
        locked.last_message_id += 1
        if file:
            file.save()
        written = SandboxMessage.objects.create(
            bot=locked, phone=phone, message_id=locked.last_message_id, from_bot=False, text=text, file=file, at=now
        )
        updates.queue(locked, "message", payloads.message(written), now)
        locked.save(update_fields=["last_message_id", "last_update_id"])
    return written


def _sample(kind: FileKind) -> bytes:
    if kind == FileKind.DOCUMENT:
        raise NotPossible("Choose a file first.")
    return (_HERE / _SAMPLES[kind]).read_bytes()


def _seconds(ogg: bytes) -> int:
    """Return the length of an Opus recording, from the last page's count of samples at 48 kHz (RFC 7845, 4); else 1."""
    last = ogg.rfind(b"OggS")
    if last < 0 or len(ogg) < last + 14:
        return 1
    return min(max(round(int.from_bytes(ogg[last + 6 : last + 14], "little") / 48_000), 1), 86_399)


def _typed(text: str, most: int) -> str:
    """Return the text as Telegram would accept it. Raises NotPossible."""
    text = text.replace("\x00", "").strip()
    if not text or utf16_units(text) > most:
        raise NotPossible(f"A message has 1 to {most} characters.")
    return text


def _free_id(rows: "QuerySet[SandboxBot] | QuerySet[Phone]", ids: range, chance: random.Random) -> int:
    telegram_id = chance.choice(ids)
    while rows.filter(telegram_id=telegram_id).exists():
        telegram_id = chance.choice(ids)
    return telegram_id
