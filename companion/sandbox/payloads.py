"""Build the Bot API's objects (core.telegram.org/bots/api) from the Sandbox's rows. No queries here."""

import re
from typing import Final

from companion.sandbox.models import FileKind, Phone, SandboxBot, SandboxFile, SandboxMessage, SandboxTap
from companion.telegram.limits import utf16_units

Json = dict[str, object]

_PHOTO_SIZE: Final[Json] = {"width": 480, "height": 320}
_COMMAND: Final = re.compile(r"/[A-Za-z0-9_]{1,32}(@[A-Za-z0-9_]{3,32})?(?=\s|$)")


def bot_user(bot: SandboxBot) -> Json:
    """Return a bot as a User."""
    return {"id": bot.telegram_id, "is_bot": True, "first_name": bot.first_name, "username": bot.username}


def me(bot: SandboxBot) -> Json:
    """Return a bot as getMe describes it."""
    return bot_user(bot) | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def user(phone: Phone) -> Json:
    """Return a phone's owner as a User."""
    return {
        "id": phone.telegram_id,
        "is_bot": False,
        "first_name": phone.first_name,
        "language_code": phone.language,
    }


def private_chat(phone: Phone) -> Json:
    """Return the Chat with a phone's owner, which has the same id as the person."""
    return {"id": phone.telegram_id, "first_name": phone.first_name, "type": "private"}


def full_chat(phone: Phone) -> Json:
    """Return the ChatFullInfo of getChat's answer."""
    accepted = {
        "unlimited_gifts": True,
        "limited_gifts": True,
        "unique_gifts": True,
        "premium_subscription": True,
        "gifts_from_channels": True,
    }
    return private_chat(phone) | {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": accepted}


def message(row: SandboxMessage) -> Json:
    """Return a Message. The caller has loaded `row.bot` and `row.phone`."""
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
    """Return getFile's `file_path`: the end of the file's address, after the token."""
    return f"{file.kind}s/file_{file.pk}"


def file_found(file: SandboxFile) -> Json:
    """Return the File of getFile's answer."""
    return _identity(file) | {"file_path": file_path(file)}


def _identity(file: SandboxFile) -> Json:
    return {"file_id": file.file_id, "file_unique_id": file.file_id[-16:], "file_size": file.size}


def _file(file: SandboxFile) -> Json:
    """Return the part of a Message that holds the file."""
    match file.kind:
        case FileKind.PHOTO:
            return {"photo": [_identity(file) | _PHOTO_SIZE]}
        case FileKind.VOICE:
            return {"voice": _identity(file) | {"duration": file.seconds, "mime_type": "audio/ogg"}}
        case _:
            return {"document": _identity(file) | {"file_name": file.name}}


def callback_query(tap: SandboxTap) -> Json:
    """Return a CallbackQuery. The caller has loaded the tap's message with its bot and phone."""
    phone = tap.message.phone
    return {
        "id": str(tap.pk),
        "from": user(phone),
        "message": message(tap.message),
        "chat_instance": str(phone.telegram_id * 1_000_003 + tap.message.bot.telegram_id),
        "data": tap.data,
    }


def membership(bot: SandboxBot, phone: Phone, date: int, *, blocked: bool) -> Json:
    """Return a ChatMemberUpdated: the person has blocked or unblocked the bot."""
    member: Json = {"user": bot_user(bot), "status": "member"}
    kicked: Json = {"user": bot_user(bot), "status": "kicked", "until_date": 0}
    return {
        "chat": private_chat(phone),
        "from": user(phone),
        "date": date,
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }
