"""The Sandbox's rows in the shapes of the Bot API's objects (core.telegram.org/bots/api).

It reads and writes nothing.
"""

import re
from typing import Final

from companion.sandbox.models import FileKind, Phone, SandboxBot, SandboxFile, SandboxMessage, SandboxTap
from companion.telegram.limits import utf16_units

Json = dict[str, object]

_PHOTO_SIZE: Final[Json] = {"width": 480, "height": 320}
_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,32}(@[A-Za-z0-9_]{3,32})?(?=\s|$)")


def bot_user(bot: SandboxBot) -> Json:
    """A bot as a User."""
    return {"id": bot.telegram_id, "is_bot": True, "first_name": bot.first_name, "username": bot.username}


def me(bot: SandboxBot) -> Json:
    """A bot as getMe shows it to itself."""
    return bot_user(bot) | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def user(phone: Phone) -> Json:
    """A phone's owner as a User."""
    return {
        "id": phone.telegram_id,
        "is_bot": False,
        "first_name": phone.first_name,
        "language_code": phone.language,
    }


def private_chat(phone: Phone) -> Json:
    """The Chat with a phone's owner; its id is the person's own."""
    return {"id": phone.telegram_id, "first_name": phone.first_name, "type": "private"}


def full_chat(phone: Phone) -> Json:
    """The ChatFullInfo that getChat answers with."""
    accepted = {
        "unlimited_gifts": True,
        "limited_gifts": True,
        "unique_gifts": True,
        "premium_subscription": True,
        "gifts_from_channels": True,
    }
    return private_chat(phone) | {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": accepted}


def message(row: SandboxMessage) -> Json:
    """A Message; `row.bot` and `row.phone` are to be loaded."""
    payload: Json = {
        "message_id": row.message_id,
        "from": bot_user(row.bot) if row.from_bot else user(row.phone),
        "chat": private_chat(row.phone),
        "date": int(row.at.timestamp()),
    }
    if row.edited_at:
        payload["edit_date"] = int(row.edited_at.timestamp())
    payload |= _file(row.file) | ({"caption": row.text} if row.text else {}) if row.file else {"text": row.text}
    command = None if row.from_bot else _COMMAND.match(row.text)
    if command:
        payload["entities"] = [{"offset": 0, "length": utf16_units(command[0]), "type": "bot_command"}]
    if row.protected:
        payload["has_protected_content"] = True
    if row.buttons:
        payload["reply_markup"] = {"inline_keyboard": row.buttons}
    return payload


def file_path(file: SandboxFile) -> str:
    """Where the file lies, behind the token: getFile's `file_path`."""
    return f"{file.kind}s/file_{file.pk}"


def file_found(file: SandboxFile) -> Json:
    """A File, as getFile answers with."""
    return _identity(file) | {"file_path": file_path(file)}


def _identity(file: SandboxFile) -> Json:
    return {"file_id": file.file_id, "file_unique_id": file.file_id[-16:], "file_size": file.size}


def _file(file: SandboxFile) -> Json:
    """The part of a Message that holds it."""
    match file.kind:
        case FileKind.PHOTO:
            return {"photo": [_identity(file) | _PHOTO_SIZE]}
        case FileKind.VOICE:
            return {"voice": _identity(file) | {"duration": file.seconds, "mime_type": "audio/ogg"}}
        case _:
            return {"document": _identity(file) | {"file_name": file.name}}


def callback_query(tap: SandboxTap) -> Json:
    """A CallbackQuery; the tap's message is to be loaded with its bot and phone."""
    phone = tap.message.phone
    return {
        "id": str(tap.pk),
        "from": user(phone),
        "message": message(tap.message),
        "chat_instance": str(phone.telegram_id * 1_000_003 + tap.message.bot.telegram_id),
        "data": tap.data,
    }


def membership(bot: SandboxBot, phone: Phone, date: int, *, blocked: bool) -> Json:
    """A ChatMemberUpdated: the person has blocked the bot, or unblocked it."""
    member: Json = {"user": bot_user(bot), "status": "member"}
    kicked: Json = {"user": bot_user(bot), "status": "kicked", "until_date": 0}
    return {
        "chat": private_chat(phone),
        "from": user(phone),
        "date": date,
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }
