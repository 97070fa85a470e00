"""The Bot API's methods, each from its arguments to its result. HTTP is in api.py, Telegram's rules in rules.py."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.db import transaction

from companion.sandbox import payloads, rules, updates
from companion.sandbox.models import Phone, SandboxBot, SandboxFile, SandboxMessage, SandboxTap, State
from companion.sandbox.rules import Args, Refused, Rows, bad, out_of_order
from companion.telegram.limits import FILE_BYTES, MESSAGES_PER_SECOND, UPDATES_AT_ONCE

LONG_POLL_MAX: Final = 50
"""The longest time, in seconds, that getUpdates waits."""


def send_message(bot: SandboxBot, args: Args, now: datetime) -> object:
    text, buttons, chat_id = rules.text_of(args), rules.buttons_of(args), rules.chat_id_of(args)
    phone = _phone(bot, chat_id)
    if phone is None:
        raise Refused(403, "Forbidden: bots can't send messages to bots")
    if phone.state == State.UNREACHABLE:
        raise out_of_order()
    rules.check_may_write(phone.state)
    sent = _write(bot, phone, text, buttons, rules.truth(args, "protect_content"), now)
    if phone.state == State.SLOW:
        time.sleep(phone.delay_seconds)
    return payloads.message(sent)


def get_me(bot: SandboxBot, args: Args, now: datetime) -> object:
    return payloads.me(bot)


def get_chat(bot: SandboxBot, args: Args, now: datetime) -> object:
    chat_id = rules.chat_id_of(args)
    # Sending makes a phone, asking doesn't: the listener asks about a clinic's whole list in the background.
    phone = None if _is_bot(chat_id) else bot.phones.filter(telegram_id=chat_id).first() or _unmade(bot, chat_id)
    if phone is None or phone.state == State.NOT_STARTED:
        raise bad("chat not found")
    if phone.state == State.UNREACHABLE:
        raise out_of_order()
    return payloads.full_chat(phone)


def get_updates(bot: SandboxBot, args: Args, now: datetime) -> object:
    _keep_allowed_updates(bot, args)
    number = updates.begin_poll(bot)
    updates.confirm(bot, rules.whole_number(args, "offset", 0, -UPDATES_AT_ONCE, 2**53), now)
    limit = rules.whole_number(args, "limit", UPDATES_AT_ONCE, 1, UPDATES_AT_ONCE)
    return updates.wait_for_updates(bot, number, limit, rules.whole_number(args, "timeout", 0, 0, LONG_POLL_MAX))


def answer_callback_query(bot: SandboxBot, args: Args, now: datetime) -> object:
    number = rules.whole_number(args, "callback_query_id", 0, 0, 2**53)
    answered = SandboxTap.objects.filter(pk=number, message__bot=bot, at__gt=now - rules.TAP_KEPT).update(
        answered_at=now, answer=args.get("text", "")[:200]
    )
    if not answered:
        raise bad("query is too old and response timeout expired or query ID is invalid")
    return True


def edit_message_reply_markup(bot: SandboxBot, args: Args, now: datetime) -> object:
    buttons, chat_id = rules.buttons_of(args), rules.chat_id_of(args)
    message_id = rules.whole_number(args, "message_id", 0, 0, 2**53)
    if not message_id:
        raise bad("message identifier is not specified")
    with transaction.atomic():
        rows = SandboxMessage.objects.select_for_update(of=("self",)).select_related("bot", "phone")
        edited = rows.filter(bot=bot, phone__telegram_id=chat_id, message_id=message_id).first()
        if edited is None:
            raise bad("message to edit not found")
        if not edited.from_bot:
            raise bad("message can't be edited")
        if edited.buttons == buttons:
            same = "specified new message content and reply markup are exactly the same as a current content"
            raise bad(f"message is not modified: {same} and reply markup of the message")
        edited.buttons = buttons
        edited.save(update_fields=["buttons"])
    return payloads.message(edited)


def delete_message(bot: SandboxBot, args: Args, now: datetime) -> object:
    chat_id, message_id = rules.chat_id_of(args), rules.whole_number(args, "message_id", 0, 0, 2**53)
    if not message_id:
        raise bad("message identifier is not specified")
    with transaction.atomic():
        rows = SandboxMessage.objects.select_for_update(of=("self",)).select_related("phone", "file")
        found = rows.filter(bot=bot, phone__telegram_id=chat_id, message_id=message_id).first()
        if found is None:
            raise bad("message to delete not found")
        if found.phone.state == State.UNREACHABLE:
            raise out_of_order()
        if found.phone.state == State.DEACTIVATED:
            rules.check_may_write(found.phone.state)
        if found.at <= now - rules.DELETABLE_FOR:
            raise bad("message can't be deleted for everyone")
        # The file goes with its message, and so do the taps on its buttons.
        (found.file or found).delete()
    return True


def get_file(bot: SandboxBot, args: Args, now: datetime) -> object:
    files = SandboxFile.objects.defer("content")
    file = files.filter(bot=bot, file_id=args.get("file_id", "")).first()
    if file is None:
        raise bad("wrong file_id or the file is temporarily unavailable")
    if file.messages.filter(phone__state=State.UNREACHABLE).exists():
        raise out_of_order()
    if file.size > FILE_BYTES:
        raise bad("file is too big")
    return payloads.file_found(file)


def delete_webhook(bot: SandboxBot, args: Args, now: datetime) -> object:
    if rules.truth(args, "drop_pending_updates"):
        bot.updates.all().delete()
    return True


def get_webhook_info(bot: SandboxBot, args: Args, now: datetime) -> object:
    return {"url": "", "has_custom_certificate": False, "pending_update_count": updates.pending(bot)}


METHODS: Final[dict[str, Callable[[SandboxBot, Args, datetime], object]]] = {
    "sendmessage": send_message,
    "getme": get_me,
    "getchat": get_chat,
    "getfile": get_file,
    "getupdates": get_updates,
    "answercallbackquery": answer_callback_query,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
}
"""Methods by name in lower case, since Telegram ignores the case."""


def _phone(bot: SandboxBot, chat_id: int) -> Phone | None:
    """Return the bot's phone with this id, made now if there is none; None if the id is a bot's."""
    if _is_bot(chat_id):
        return None
    name = _unmade(bot, chat_id).first_name
    return Phone.objects.get_or_create(bot=bot, telegram_id=chat_id, defaults={"first_name": name})[0]


def _is_bot(chat_id: int) -> bool:
    return SandboxBot.objects.filter(telegram_id=chat_id).exists()


def _unmade(bot: SandboxBot, chat_id: int) -> Phone:
    """Return the phone that sending to this id would make."""
    return Phone(bot=bot, telegram_id=chat_id, first_name=f"Phone {chat_id}")


def _write(bot: SandboxBot, phone: Phone, text: str, buttons: Rows, protected: bool, now: datetime) -> SandboxMessage:
    with transaction.atomic():
        # The bot's row is locked first, so that one request at a time checks the rate and takes a number.
        locked = SandboxBot.objects.select_for_update().get(pk=bot.pk)
        sent = SandboxMessage.objects.filter(bot=locked, from_bot=True).order_by("-at").values_list("at", flat=True)
        of_bot = list(sent.filter(at__gt=now - rules.BOT_WINDOW)[:MESSAGES_PER_SECOND])
        of_chat = list(sent.filter(phone=phone, at__gt=now - rules.CHAT_WINDOW)[: rules.CHAT_BURST])
        rules.check_rate(of_bot, of_chat, now)
        locked.last_message_id += 1
        locked.save(update_fields=["last_message_id"])
        return SandboxMessage.objects.create(
            bot=locked,
            phone=phone,
            message_id=locked.last_message_id,
            from_bot=True,
            text=text,
            buttons=buttons,
            protected=protected,
            at=now,
        )


def _keep_allowed_updates(bot: SandboxBot, args: Args) -> None:
    """Store the kinds of update that the bot asks for. As with Telegram, the last list filters later updates."""
    try:
        kinds = json.loads(args.get("allowed_updates", "null"))
    except (ValueError, RecursionError):
        return
    if isinstance(kinds, list):
        kinds = [kind for kind in kinds if isinstance(kind, str)]
        SandboxBot.objects.filter(pk=bot.pk).exclude(allowed_updates=kinds).update(allowed_updates=kinds)
