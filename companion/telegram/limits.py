"""The Bot API's limits, and a check of Telegram IDs.

Nothing here calls Telegram: an ID that passes the check may still belong to nobody.
Sources: Telegram's "Bot API" and "Bots FAQ" pages.
"""

import re
from typing import Final

TEXT_UNITS: Final = 4096
"""Longest text of a message, in UTF-16 code units."""
CALLBACK_DATA_BYTES: Final = 64
"""Longest callback_data of a button, in bytes of UTF-8; the shortest is 1."""
START_PAYLOAD_CHARS: Final = 64
"""Longest payload of a `?start=` link; the shortest is 1, of A-Z a-z 0-9 _ -."""
FILE_BYTES: Final = 20 * 2**20
"""Largest file that a bot can fetch."""
UPDATES_AT_ONCE: Final = 100
"""Most updates in one answer to getUpdates."""
UPDATES_KEPT_HOURS: Final = 24
"""The time after which Telegram deletes an update that nobody has fetched."""
DELETABLE_HOURS: Final = 48
"""The time within which a bot can delete a message of a private chat, its own or the person's."""
MESSAGES_PER_SECOND: Final = 30
"""Messages of one bot a second, over all chats."""
MESSAGES_PER_CHAT: Final = 1
"""Messages to one chat a second."""
TELEGRAM_ID_BITS: Final = 52
"""A user's id has at most this many significant bits."""
TELEGRAM_ID_MAX: Final = 2**TELEGRAM_ID_BITS - 1

_START_PAYLOAD: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{START_PAYLOAD_CHARS}}}")
_PHONE: Final = re.compile(r"\+[0-9() ./-]+|0[0-9() ./-]+|\(?[0-9]+[() ./-][0-9() ./-]+")
_SHORTENED: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?\s*[eE]\s*[+]?\s*[0-9]+")
_BOT_TOKEN: Final = re.compile(r"[0-9]{5,}:[A-Za-z0-9_-]{20,}")
_LINK: Final = re.compile(r"(https?://)?(t|telegram)\.me/", re.IGNORECASE)
# The time that int() takes grows with the square of the length, and no longer number is an id.
_DIGITS_READ: Final = 40


def utf16_units(text: str) -> int:
    """Return a text's length as Telegram counts it: in UTF-16 code units, so that most emoji count 2."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def is_start_payload(payload: str) -> bool:
    """Return whether a link may carry this after `?start=`."""
    return _START_PAYLOAD.fullmatch(payload) is not None


def telegram_id_problem(value: int | str) -> str | None:
    """Return a sentence that says why this can't be a person's Telegram ID; None if it can be.

    `int(value)` can read a text that passes. Spaces around the number are allowed.
    """
    written = str(value).strip() if isinstance(value, str) or abs(value) < 10**_DIGITS_READ else "9" * _DIGITS_READ
    if re.fullmatch(r"-?[0-9]+", written) is None:
        return _not_a_number(written)
    if written.startswith("-"):
        return "A Telegram ID below zero is a group or a channel. Messages go to persons only: use the person's own ID."
    if written.strip("0") == "":
        return "0 is not a Telegram ID. Leave the field empty if the ID is not known."
    if written.startswith("0"):
        return PHONE_SENTENCE
    if len(written) >= _DIGITS_READ or int(written) > TELEGRAM_ID_MAX:
        return f"This number is too large for a Telegram ID: the largest is {TELEGRAM_ID_MAX}."
    return None


def is_phone_number(telegram_id: int, phone: str) -> bool:
    """Return whether the given Telegram ID is the person's phone number, written without its plus or zeros."""
    return str(telegram_id) == re.sub(r"[^0-9]", "", phone).lstrip("0")


def is_shortened(written: str) -> bool:
    """Return whether a spreadsheet has rounded this number ("9.87654E+11"), so that its last digits are lost."""
    return _SHORTENED.fullmatch(written.strip()) is not None


SHORTENED_SENTENCE: Final = (
    "A spreadsheet has shortened this number, so its last digits are lost. "
    "Format the column as text, enter the whole numbers again, and export the file anew."
)
PHONE_SENTENCE: Final = (
    "This looks like a phone number. A Telegram ID is a different number, which Telegram gives each person; "
    "invite the patient by a link to get it."
)


def _not_a_number(written: str) -> str:
    if not written:
        return "A Telegram ID is a number. Leave the field out if the ID is not known."
    if written.startswith("@") or _LINK.match(written):
        return (
            "A bot can't write to a @username. It needs the person's Telegram ID, which is a number; "
            "invite the patient by a link to get it."
        )
    if _BOT_TOKEN.fullmatch(written):
        return (
            "This is a bot's token, which is a secret, and messages go to persons only. Enter the person's own "
            "Telegram ID, or invite the patient by a link to get it."
        )
    if is_shortened(written):
        return SHORTENED_SENTENCE
    if _PHONE.fullmatch(written):
        return PHONE_SENTENCE
    return "A Telegram ID consists of the digits 0 to 9 only."
