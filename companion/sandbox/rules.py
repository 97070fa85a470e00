"""Refuse texts, buttons, chats and rates as Telegram's servers do, in their words. Pure functions without queries.

Wording and order follow Client.cpp of tdlib/telegram-bot-api. One rule is stricter: the only parse_mode is HTML.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from companion.sandbox.html import NotHtml, plain_of_html
from companion.sandbox.models import State
from companion.telegram.limits import (
    CALLBACK_DATA_BYTES,
    DELETABLE_HOURS,
    MESSAGES_PER_SECOND,
    TELEGRAM_ID_MAX,
    TEXT_UNITS,
    utf16_units,
)

BOT_WINDOW: Final = timedelta(seconds=0.9)
"""The window in which a bot may send MESSAGES_PER_SECOND: Telegram's second, less a tenth for an uneven network."""
CHAT_WINDOW: Final = timedelta(seconds=4.5)
CHAT_BURST: Final = 5
"""A bot may send this number of messages to one chat in any CHAT_WINDOW: one a second, or a short burst."""
TAP_KEPT: Final = timedelta(seconds=60)
"""A callback query older than this can't be answered any more."""
EDITABLE_FOR: Final = timedelta(hours=48)
"""The time within which a person can change the text of a message."""
DELETABLE_FOR: Final = timedelta(hours=DELETABLE_HOURS)
_TEXT_BYTES: Final = 1 << 15
_BUTTONS: Final = 100
_URL: Final = re.compile(r"(https?|tg)://[^\s]+|[\w-]+(\.[\w-]+)+(/[^\s]*)?")
# Telegram shows control characters as spaces and drops carriage returns.
_CONTROLS: Final = {code: " " for code in range(32) if chr(code) not in "\t\n"} | {ord("\r"): None}

Args = Mapping[str, str]
Rows = list[list[dict[str, object]]]


class Refused(Exception):
    """A refusal by the Bot API, with its error_code, description and parameters."""

    def __init__(self, error_code: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(error_code)
        self.error_code: Final = error_code
        self.description: Final = description
        self.retry_after: Final = retry_after


def bad(words: str) -> Refused:
    """Return a 400 in Telegram's words."""
    return Refused(400, f"Bad Request: {words}")


def out_of_order() -> Refused:
    """Telegram's own answer when a server behind it fails: nothing was delivered."""
    return Refused(502, "Bad Gateway")


def text_of(args: Args) -> str:
    """Return the text as a phone shows it. Raises Refused."""
    text = args.get("text", "")
    if not text:
        raise bad("message text is empty")
    if _has_half_characters(text):
        raise bad("strings must be encoded in UTF-8")
    if len(text.encode()) > _TEXT_BYTES:
        raise bad("text is too long")
    mode = args.get("parse_mode", "").lower()
    if mode == "html":
        try:
            text = plain_of_html(text)
        except NotHtml as problem:
            raise bad(f"can't parse entities: {problem}") from None
    elif mode not in ("", "none"):
        raise bad("unsupported parse_mode")
    text = text.translate(_CONTROLS).strip()
    if not text:
        raise bad("text must be non-empty")
    if utf16_units(text) > TEXT_UNITS:
        raise bad("message is too long")
    return text


def chat_id_of(args: Args) -> int:
    """Return the id of a person's chat. Raises Refused, also for groups, channels and usernames."""
    written = args.get("chat_id", "")
    if not written:
        raise bad("chat_id is empty")
    if re.fullmatch(r"[0-9]{1,16}", written) is None or not 0 < int(written) <= TELEGRAM_ID_MAX:
        raise bad("chat not found")
    return int(written)


def buttons_of(args: Args) -> Rows:
    """Return the rows of the inline keyboard; empty if there is none, or another kind of markup. Raises Refused."""
    written = args.get("reply_markup", "")
    if not written:
        return []
    try:
        markup = json.loads(written)
    except (ValueError, RecursionError):
        raise bad("can't parse reply keyboard markup JSON object") from None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    rows = markup.get("inline_keyboard", [])
    if not isinstance(rows, list):
        raise bad('field "inline_keyboard" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise bad('field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    if sum(len(row) for row in rows) > _BUTTONS:
        raise bad("reply markup is too long")
    return [[_button(button) for button in row] for row in rows if row]


def _button(button: object) -> dict[str, object]:
    parsing = "can't parse inline keyboard button: "
    if not isinstance(button, dict):
        raise bad(f"{parsing}InlineKeyboardButton must be an Object")
    if "text" not in button:
        raise bad(f'{parsing}Can\'t find field "text"')
    for field in ("text", "url", "callback_data"):
        value = button.get(field, "")
        if not isinstance(value, str):
            raise bad(f'{parsing}Field "{field}" must be of type String')
        if _has_half_characters(value):
            raise bad("strings must be encoded in UTF-8")
    if not button["text"].strip():
        raise bad("inline keyboard button text must be non-empty")
    if button.get("url"):
        if _URL.fullmatch(button["url"]) is None:
            raise bad("BUTTON_URL_INVALID")
        return {"text": button["text"], "url": button["url"]}
    if not button.get("callback_data"):
        raise bad(f"{parsing}Text buttons are unallowed in the inline keyboard")
    if len(button["callback_data"].encode()) > CALLBACK_DATA_BYTES:
        raise bad("BUTTON_DATA_INVALID")
    return {"text": button["text"], "callback_data": button["callback_data"]}


def check_may_write(state: str) -> None:
    """Raise Refused if a bot may not write to a phone in this state."""
    words = {
        State.NOT_STARTED: "bot can't initiate conversation with a user",
        State.BLOCKED: "bot was blocked by the user",
        State.DEACTIVATED: "user is deactivated",
    }.get(State(state))
    if words:
        raise Refused(403, f"Forbidden: {words}")


def check_rate(of_bot: Sequence[datetime], of_chat: Sequence[datetime], now: datetime) -> None:
    """Raise Refused (429) if one more message is too many. The times of the last messages come newest first."""
    until_bot = _free_at(of_bot, MESSAGES_PER_SECOND, BOT_WINDOW, now)
    until_chat = _free_at(of_chat, CHAT_BURST, CHAT_WINDOW, now)
    wait = (max(until_bot, until_chat) - now).total_seconds()
    if wait > 0:
        seconds = max(1, math.ceil(wait))
        raise Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def _free_at(newest_first: Sequence[datetime], most: int, window: timedelta, now: datetime) -> datetime:
    """Return the instant at which the window that ends then holds fewer than `most` messages."""
    return newest_first[most - 1] + window if len(newest_first) >= most else now


def whole_number(args: Args, name: str, default: int, low: int, high: int) -> int:
    """Read a number as Telegram does: an unreadable number is the default, a number out of range the nearest in it."""
    written = args.get(name, "").strip()
    if re.fullmatch(r"-?[0-9]{1,18}", written) is None:
        return default
    return min(max(int(written), low), high)


def truth(args: Args, name: str) -> bool:
    """Read a boolean as Telegram does."""
    return args.get(name, "").lower() in ("true", "yes", "1")


def _has_half_characters(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)
