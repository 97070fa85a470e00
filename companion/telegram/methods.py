"""Calls the Bot API's methods besides sendMessage. It decides nothing about what comes in (listener does)."""

from typing import Final

from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.discreet import Discreet
from companion.telegram.incoming import ALLOWED_UPDATES, Incoming, updates_of
from companion.telegram.lenient import Part
from companion.telegram.limits import UPDATES_AT_ONCE
from companion.telegram.outcomes import Answer, Kind, Outcome

CALL_SECONDS: Final = 10.0
"""Time-out of a plain call."""


class Me(Discreet, frozen=True, gc=False):
    """A bot, as it knows itself."""

    id: int
    username: str


async def get_me(client: Client, token: BotToken) -> Me:
    """The bot itself. CallFailed as `Client.call`."""
    answer = await client.call(token, "getMe", {}, timeout=CALL_SECONDS)
    said = Part(answer.result)
    number = said.whole("id")
    if number is None:
        raise _unreadable(answer, "a bot without a number")
    return Me(number, said.text("username"))


async def get_chat(client: Client, token: BotToken, chat_id: int) -> None:
    """Asks whether Telegram lets this bot see a chat. CallFailed: PERMANENT where the bot knows no such chat."""
    await client.call(token, "getChat", {"chat_id": chat_id}, timeout=CALL_SECONDS)


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
        raise _unreadable(answer, "updates that are not a list")
    return updates_of(answer.result)


async def answer_callback(client: Client, token: BotToken, callback_query_id: str, text: str = "") -> None:
    """Acknowledges a tap, with a short text shown over the chat. CallFailed: Telegram refuses old ones."""
    params: dict[str, object] = {"callback_query_id": callback_query_id, "text": text}
    await client.call(token, "answerCallbackQuery", params, timeout=CALL_SECONDS)


async def delete_webhook(client: Client, token: BotToken) -> None:
    """Makes getUpdates possible where a webhook was set; waiting updates stay. CallFailed as `Client.call`."""
    await client.call(token, "deleteWebhook", {"drop_pending_updates": False}, timeout=CALL_SECONDS)


def _unreadable(answer: Answer, note: str) -> CallFailed:
    return CallFailed(Outcome(Kind.UNKNOWN, server_date=answer.server_date, note=note))
