"""Turn every answer of the Bot API, and every way to get no answer, into one typed Outcome.

This table alone decides what an answer means. client.py calls Telegram; delivery decides what follows from an Outcome.
Wording of the errors: tdlib/telegram-bot-api's Client.cpp. The code decides first, then the description in lower case.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeGuard

from companion.telegram.discreet import Discreet
from companion.telegram.lenient import read_json


class Kind(StrEnum):
    """The meaning of an Outcome for the Message. The values are stored with Attempts."""

    SENT = "sent"
    """Telegram accepted the message and gave it a message_id."""
    TOO_MANY = "too_many"
    """429: nothing was sent, and all messages of the bot have to wait."""
    TRANSIENT = "transient"
    """Nothing was sent, for a reason that passes: the request never left, or a server failed."""
    UNAUTHORIZED = "unauthorized"
    """401 or 404: nothing was sent, since Telegram doesn't accept the bot's token."""
    PERMANENT = "permanent"
    """Nothing was sent, and the same request would fail again; `reason` says why."""
    UNKNOWN = "unknown"
    """The request left, and no readable answer came back."""


BLOCKED: Final = "blocked"
DEACTIVATED: Final = "deactivated"
CHAT_NOT_FOUND: Final = "chat_not_found"
REJECTED: Final = "rejected"

RETRY_AFTER_MAX: Final = 86_400.0
"""The longest wait, in seconds, that is kept from an answer. After it Telegram is asked again."""


class Outcome(Discreet, frozen=True, gc=False):
    """The result of one request. Its repr is safe to log: it leaves out the description, which may quote the text."""

    hidden = frozenset({"description"})

    kind: Kind
    message_id: int | None = None
    reason: str | None = None
    """The reason of PERMANENT: blocked, deactivated, chat_not_found or rejected."""
    retry_after: float | None = None
    """The wait of TOO_MANY: seconds, above 0, at most RETRY_AFTER_MAX; None if the answer doesn't say."""
    error_code: int | None = None
    """Telegram's error code, or the HTTP status if no JSON came; None without an answer."""
    description: str = ""
    """Telegram's words. They may quote the text: health data."""
    server_date: datetime | None = None
    """The answer's Date header."""
    note: str = ""
    """A note in our words about a failed request or an unreadable answer: safe to log and to show."""


class Answer(Discreet, frozen=True, gc=False):
    """Telegram's positive answer to any method, with its result as parsed JSON."""

    hidden = frozenset({"result"})

    result: object
    server_date: datetime | None = None


# (error_code, words in the description, reason): the first matching row decides.
_REFUSALS: Final = (
    (403, "blocked by the user", BLOCKED),
    (403, "user is deactivated", DEACTIVATED),
    (403, "can't initiate conversation", CHAT_NOT_FOUND),
    (403, "can't send messages to bots", CHAT_NOT_FOUND),
    (403, "can't send messages to the user", CHAT_NOT_FOUND),
    (403, "kicked from", CHAT_NOT_FOUND),
    (403, "not a member of", CHAT_NOT_FOUND),
    (400, "chat not found", CHAT_NOT_FOUND),
    (400, "user not found", CHAT_NOT_FOUND),
    (400, "peer_id_invalid", CHAT_NOT_FOUND),
    (400, "user_id_invalid", CHAT_NOT_FOUND),
    (400, "chat_id_invalid", CHAT_NOT_FOUND),
    (400, "chat_id is empty", CHAT_NOT_FOUND),
    (400, "upgraded to a supergroup", CHAT_NOT_FOUND),
    (400, "user_is_blocked", BLOCKED),
    (400, "input_user_deactivated", DEACTIVATED),
)
_RETRY_AFTER: Final = re.compile(r"retry after ([0-9]{1,9})\b")


def outcome_of_answer(status: int, body: bytes, date: str | None = None) -> Outcome:
    """Judge an answer to sendMessage by its HTTP status, the received part of its body, and its Date header."""
    answer = answer_of(status, body, date)
    if isinstance(answer, Outcome):
        return answer
    message_id = answer.result.get("message_id") if isinstance(answer.result, dict) else None
    if not _is_int(message_id) or not 0 < message_id < 2**63:
        return Outcome(Kind.UNKNOWN, error_code=status, server_date=answer.server_date, note="a yes without message_id")
    return Outcome(Kind.SENT, message_id=message_id, server_date=answer.server_date)


def outcome_of_edit(status: int, body: bytes, date: str | None, message_id: int) -> Outcome:
    """Judge an answer to editMessageReplyMarkup for this message. SENT also if nothing had to be changed."""
    outcome = outcome_of_answer(status, body, date)
    if outcome.kind is Kind.PERMANENT and "message is not modified" in outcome.description.lower():
        return Outcome(Kind.SENT, message_id=message_id, server_date=outcome.server_date)
    return outcome


class Trace(StrEnum):
    """The meaning of an answer to an edit that changes nothing, about a number in a chat."""

    HERE = "here"
    """The chat holds a message of the bot under this number, with the same buttons."""
    NOT_HERE = "not_here"
    """Under this number the chat holds nothing, or a message that isn't the bot's."""
    UNCLEAR = "unclear"
    """The answer says neither."""


def trace_of_refusal(outcome: Outcome) -> Trace:
    """Judge the refusal of an edit that was to change nothing."""
    words = outcome.description.lower()
    if outcome.kind is not Kind.PERMANENT or outcome.error_code != 400:
        return Trace.UNCLEAR
    if "message is not modified" in words:
        return Trace.HERE
    if "message to edit not found" in words or "message can't be edited" in words:
        return Trace.NOT_HERE
    return Trace.UNCLEAR


def answer_of(status: int, body: bytes, date: str | None = None) -> Answer | Outcome:
    """Return any method's result, or the Outcome that says why there is none."""
    server_date = read_date(date)
    fields = _json_object(body)
    if fields.get("ok") is True and 200 <= status <= 299 and "result" in fields:
        return Answer(fields["result"], server_date)
    error_code = fields.get("error_code")
    if fields.get("ok") is False and _is_int(error_code) and 400 <= error_code <= 599:
        return _outcome_of_refusal(error_code, fields, server_date)
    return _outcome_of_status(status, server_date)


def _outcome_of_refusal(error_code: int, fields: dict[str, object], server_date: datetime | None) -> Outcome:
    value = fields.get("description")
    description = value if isinstance(value, str) else ""
    parameters = fields.get("parameters")
    kind, reason, retry_after = Kind.PERMANENT, None, None
    if error_code == 429:
        kind = Kind.TOO_MANY
        retry_after = _retry_after(parameters, description)
    elif error_code in (401, 404):
        kind = Kind.UNAUTHORIZED
    elif error_code >= 500 or error_code in (408, 409):
        kind = Kind.TRANSIENT
    else:
        reason = _reason(error_code, description.lower(), parameters)
    return Outcome(
        kind,
        reason=reason,
        retry_after=retry_after,
        error_code=error_code,
        description=description,
        server_date=server_date,
    )


def _outcome_of_status(status: int, server_date: datetime | None) -> Outcome:
    """Judge an answer without the Bot API's JSON: a proxy's page, or a cut-off body.

    A 2xx may have meant yes. A 5xx of a proxy says that the proxy got no answer, not that Telegram did nothing.
    """
    if status == 429:
        kind = Kind.TOO_MANY
    elif status in (401, 404):
        kind = Kind.UNAUTHORIZED
    elif 300 <= status <= 499:
        # This refusal isn't Telegram's, so it says nothing about the Message, and the next try may work.
        kind = Kind.TRANSIENT
    else:
        kind = Kind.UNKNOWN
    return Outcome(kind, error_code=status, server_date=server_date, note=f"HTTP {status} without the Bot API's JSON")


def _reason(error_code: int, description: str, parameters: object) -> str:
    if isinstance(parameters, dict) and "migrate_to_chat_id" in parameters:
        return CHAT_NOT_FOUND
    for code, words, reason in _REFUSALS:
        if code == error_code and words in description:
            return reason
    return REJECTED


def _retry_after(parameters: object, description: str) -> float | None:
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if seconds is None and (match := _RETRY_AFTER.search(description.lower())):
        seconds = int(match[1])
    # `not > 0` also holds for a NaN.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return None
    return float(min(seconds, RETRY_AFTER_MAX))


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _json_object(body: bytes) -> dict[str, object]:
    fields = read_json(body)
    return fields if isinstance(fields, dict) else {}


@lru_cache(maxsize=8)
def read_date(header: str | None) -> datetime | None:
    """Read a Date header as an aware instant; None if there is none or it can't be read."""
    if header is None:
        return None
    try:
        date = parsedate_to_datetime(header)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
