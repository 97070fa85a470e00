"""The Bot API's methods that we call besides sendMessage, with aiogram's types for what comes back.

Apart from client.py because importing aiogram takes a while and the sending path doesn't need it. It decides nothing
about what comes in (listener does).
"""

from dataclasses import dataclass, field
from typing import Final, TypeVar

from aiogram.types import Chat, TelegramObject, Update, User
from pydantic import ValidationError

from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.limits import UPDATES_AT_ONCE
from companion.telegram.outcomes import Answer, Kind, Outcome

ALLOWED_UPDATES: Final = ["message", "callback_query", "my_chat_member"]
"""All that we ask for; Telegram keeps the rest to itself."""
CALL_SECONDS: Final = 10.0
"""Time-out of a plain call."""

_T = TypeVar("_T", bound=TelegramObject)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One update. Where `update` is None, it can't be read and is to be passed over by its id."""

    update_id: int
    update: Update | None = field(repr=False)


async def get_me(client: Client, token: BotToken) -> User:
    """The bot itself. CallFailed as `Client.call`."""
    return _typed(User, await client.call(token, "getMe", {}, timeout=CALL_SECONDS))


async def get_chat(client: Client, token: BotToken, chat_id: int) -> Chat:
    """What Telegram tells this bot of a chat. CallFailed: PERMANENT where the bot knows no such chat."""
    return _typed(Chat, await client.call(token, "getChat", {"chat_id": chat_id}, timeout=CALL_SECONDS))


async def get_updates(client: Client, token: BotToken, offset: int, *, wait: int) -> list[Incoming]:
    """Updates from `offset` on, in order; waits up to `wait` seconds for the first. All below `offset` are confirmed.

    CallFailed with error_code 409 when another poller or a webhook has this bot.
    """
    params: dict[str, object] = {
        "offset": offset,
        "timeout": wait,
        "limit": UPDATES_AT_ONCE,
        "allowed_updates": ALLOWED_UPDATES,
    }
    answer = await client.call(token, "getUpdates", params, timeout=wait + CALL_SECONDS)
    if not isinstance(answer.result, list):
        raise CallFailed(Outcome(Kind.UNKNOWN, server_date=answer.server_date, note="updates that are not a list"))
    # What has no update_id can't be confirmed or named; the ids of the others lead past it.
    return sorted(filter(None, map(_incoming, answer.result)), key=lambda incoming: incoming.update_id)


async def answer_callback(client: Client, token: BotToken, callback_query_id: str, text: str = "") -> None:
    """Acknowledges a tap, with a short text shown over the chat. CallFailed: Telegram refuses old ones."""
    params: dict[str, object] = {"callback_query_id": callback_query_id, "text": text}
    await client.call(token, "answerCallbackQuery", params, timeout=CALL_SECONDS)


async def delete_webhook(client: Client, token: BotToken) -> None:
    """Makes getUpdates possible where a webhook was set; waiting updates stay. CallFailed as `Client.call`."""
    await client.call(token, "deleteWebhook", {"drop_pending_updates": False}, timeout=CALL_SECONDS)


def _typed(kind: type[_T], answer: Answer) -> _T:
    try:
        return kind.model_validate(answer.result)
    except ValidationError:
        note = f"a result that is not a {kind.__name__}"
    raise CallFailed(Outcome(Kind.UNKNOWN, server_date=answer.server_date, note=note))


def _incoming(raw: object) -> Incoming | None:
    update_id = raw.get("update_id") if isinstance(raw, dict) else None
    if not isinstance(update_id, int):
        return None
    try:
        return Incoming(update_id, Update.model_validate(raw))
    except ValidationError:
        return Incoming(update_id, None)
