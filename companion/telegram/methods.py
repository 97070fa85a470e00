"""Call the Bot API's methods other than sendMessage. The listener decides what updates mean."""

from typing import Final

from companion.telegram.client import BotToken, CallFailed, Client
from companion.telegram.discreet import Discreet
from companion.telegram.incoming import ALLOWED_UPDATES, Incoming, updates_of
from companion.telegram.lenient import Part
from companion.telegram.limits import UPDATES_AT_ONCE
from companion.telegram.outcomes import Answer, Kind, Outcome, Trace, trace_of_refusal

CALL_SECONDS: Final = 10.0
"""The time-out of a call that doesn't wait for updates."""


class Me(Discreet, frozen=True, gc=False):
    """A bot, as getMe describes it."""

    id: int
    username: str


async def get_me(client: Client, token: BotToken) -> Me:
    """Ask Telegram who this bot is. Raises CallFailed as `Client.call` does."""
    answer = await client.call(token, "getMe", {}, timeout=CALL_SECONDS)
    user = Part(answer.result)
    number = user.whole("id")
    if number is None:
        raise _unreadable(answer, "a bot without a number")
    return Me(number, user.text("username"))


async def get_chat(client: Client, token: BotToken, chat_id: int) -> None:
    """Ask whether this bot knows a chat. Raises CallFailed, with a PERMANENT outcome if it doesn't."""
    await client.call(token, "getChat", {"chat_id": chat_id}, timeout=CALL_SECONDS)


async def get_updates(client: Client, token: BotToken, offset: int, *, wait: int) -> list[Incoming]:
    """Return the updates from `offset` on, in order, and confirm all before. Wait up to `wait` seconds for the first.

    Raises CallFailed with error_code 409 while another poller or a webhook reads this bot's updates.
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


async def look_for(
    client: Client, token: BotToken, chat_id: int, message_id: int, rows: list[list[dict[str, str]]] | None, text: str
) -> Trace:
    """Ask whether a chat holds the bot's message with this number, these buttons and this text.

    The question is an edit that changes nothing. Raises CallFailed if Telegram doesn't say.
    """
    params: dict[str, object] = {"chat_id": chat_id, "message_id": message_id}
    if rows:
        params["reply_markup"] = {"inline_keyboard": rows}
    try:
        answer = await client.call(token, "editMessageReplyMarkup", params, timeout=CALL_SECONDS)
    except CallFailed as failure:
        trace = trace_of_refusal(failure.outcome)
        if trace is Trace.UNCLEAR:
            raise
        return trace
    # A server that takes the edit shows the message: only the same words prove that it is the same message.
    edited = Part(answer.result)
    same = edited.whole("message_id") == message_id and edited.text("text").strip() == text.strip()
    return Trace.HERE if same else Trace.UNCLEAR


async def answer_callback(client: Client, token: BotToken, callback_query_id: str, text: str = "") -> None:
    """Acknowledge a tap, with a short text shown over the chat. Raises CallFailed; Telegram refuses old taps."""
    params: dict[str, object] = {"callback_query_id": callback_query_id, "text": text}
    await client.call(token, "answerCallbackQuery", params, timeout=CALL_SECONDS)


async def delete_message(client: Client, token: BotToken, chat_id: int, message_id: int) -> None:
    """Delete a message of a private chat, the bot's or the person's. Raises CallFailed, with a PERMANENT outcome if
    the message is older than 48 hours or not there.
    """
    params: dict[str, object] = {"chat_id": chat_id, "message_id": message_id}
    await client.call(token, "deleteMessage", params, timeout=CALL_SECONDS)


async def delete_webhook(client: Client, token: BotToken) -> None:
    """Remove the bot's webhook, so that getUpdates works. Waiting updates stay. Raises CallFailed."""
    await client.call(token, "deleteWebhook", {"drop_pending_updates": False}, timeout=CALL_SECONDS)


def _unreadable(answer: Answer, note: str) -> CallFailed:
    return CallFailed(Outcome(Kind.UNKNOWN, server_date=answer.server_date, note=note))
