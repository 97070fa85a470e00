"""Updates as Telegram sends them, for the acts of a patient, and the bot's answers."""

import datetime as dt
from itertools import count
from typing import Final

from companion.clinics.models import Bot
from companion.listener import handling
from companion.listener.handling import Handled
from companion.patients import enrolment, enrolment_notes
from companion.patients.models import Consent, Patient
from companion.schedules import buttons
from companion.schedules.buttons import Button
from companion.schedules.models import Follow, Message, Status, Version
from companion.telegram.incoming import Incoming, update_of
from tests.builders import NOW, a_caller, a_message, a_patient, a_schedule

_numbers: Final = count(1000)
CHAT: Final = 5_111_111_111
"""A phone that is nobody's yet."""
TAKEN_OR_LATER: Final = (Button("Taken"), Button("Later", dt.timedelta(minutes=30)))


def person(chat: int, language: str = "en") -> dict[str, object]:
    return {"id": chat, "is_bot": False, "first_name": "Somebody", "language_code": language}


def private(chat: int) -> dict[str, object]:
    return {"id": chat, "type": "private", "first_name": "Somebody"}


def a_text(chat: int, text: str, /, **fields: object) -> dict[str, object]:
    """Return the update for a text."""
    message = {
        "message_id": next(_numbers),
        "date": int(NOW.timestamp()),
        "chat": private(chat),
        "from": person(chat),
        "text": text,
    }
    return {"message": message | fields}


def edited_to(came: dict[str, object], text: str, /, **fields: object) -> dict[str, object]:
    """Return the update for an edit of a message that was written a minute ago."""
    message = came["message"]
    assert isinstance(message, dict)
    return {"edited_message": message | {"text": text, "edit_date": int(NOW.timestamp())} | fields}


def something_else(chat: int, /, **fields: object) -> dict[str, object]:
    """Return the update for a message without text: a photo, a sticker, a service message."""
    content = a_text(chat, "", **fields)
    message = content["message"]
    assert isinstance(message, dict)
    del message["text"]
    return content


def our_message(chat: int, message_id: int, *buttons: tuple[str, str]) -> dict[str, object]:
    """Return a message of the bot in that chat, with buttons of (text, data)."""
    rows = [[{"text": text, "callback_data": data}] for text, data in buttons]
    return {
        "message_id": message_id,
        "date": int(NOW.timestamp()),
        "chat": private(chat),
        "from": {"id": 700, "is_bot": True, "first_name": "Linden"},
        "text": "What we said",
        "reply_markup": {"inline_keyboard": rows},
    }


def a_tap(chat: int, data: str, label: str = "Button", message_id: int = 1) -> dict[str, object]:
    """Return the update for a tap on a button of that message."""
    message = our_message(chat, message_id, (label, data))
    tap = {"id": str(next(_numbers)), "from": person(chat), "chat_instance": "1", "data": data, "message": message}
    return {"callback_query": tap}


def a_question(
    patient: Patient, *, answer_within: dt.timedelta | None = None, state: str = "active", **fields: object
) -> Message:
    """A message with answer buttons that was sent to the patient at NOW, as number 77 of the chat."""
    schedule = a_schedule(patient.clinic, patient, answer_within=answer_within, state=state)
    Version.objects.filter(schedule=schedule).update(buttons=buttons.written(TAKEN_OR_LATER))
    sent = {"status": Status.SENT, "sent_at": NOW, "ended_at": NOW, "telegram_message_id": 77}
    return a_message(patient, schedule, **sent | fields)


def tap_on(message: Message, number: int, chat: int = 0) -> dict[str, object]:
    """The patient taps the button of this number (or somebody else does, in another chat)."""
    kept = buttons.read(message.version.buttons if message.version else None)
    label = kept[number].text if number < len(kept) else "Button"
    patient = message.patient
    assert patient
    assert patient.telegram_id
    data = f"answer:{message.pk.hex}:{number}"
    return a_tap(chat or patient.telegram_id, data, label, message.telegram_message_id or 78)


def following(message: Message, kind: Follow) -> list[Message]:
    """Return the Messages of this kind that follow a Message."""
    return list(Message.objects.filter(follows=message, follow_kind=kind))


def a_block(chat: int, *, blocked: bool) -> dict[str, object]:
    """Return the update for a block of the bot, or for its end."""
    bot = {"id": 700, "is_bot": True, "first_name": "Linden"}
    kicked: dict[str, object] = {"user": bot, "status": "kicked", "until_date": 0}
    member: dict[str, object] = {"user": bot, "status": "member"}
    changed = {
        "chat": private(chat),
        "from": person(chat),
        "date": int(NOW.timestamp()),
        "old_chat_member": member if blocked else kicked,
        "new_chat_member": kicked if blocked else member,
    }
    return {"my_chat_member": changed}


def incoming(content: dict[str, object], update_id: int) -> Incoming:
    found = update_of({"update_id": update_id} | content)
    assert found
    return found


def comes_in(bot: Bot, content: dict[str, object]) -> Handled:
    """Handle the next update of this bot."""
    bot.refresh_from_db()
    update_id = bot.next_update_id or 500
    return handling.handle(bot.id, incoming(content, update_id), offset=bot.next_update_id, now=NOW)


def answers(bot: Bot) -> list[Message]:
    """Return the bot's answers, the oldest first."""
    return list(Message.objects.filter(clinic=bot.clinic, schedule=None).order_by("id"))


def said(bot: Bot) -> list[str]:
    """Return the first words of each answer."""
    return [" ".join((message.text or "").split()[:3]) for message in answers(bot)]


def invited(bot: Bot, **fields: object) -> tuple[Patient, str]:
    """A patient without a Telegram ID, and the text that Start by the invitation sends."""
    patient = a_patient(bot.clinic, "Ana Silva", **{"telegram_id": None, "consent": Consent.UNKNOWN} | fields)
    link = enrolment.invite(a_caller(bot.clinic), patient, now=NOW).link
    return patient, f"/start {link.partition('?start=')[2]}"


def enrolled(bot: Bot, **fields: object) -> Patient:
    """A patient who has pressed Start and was asked."""
    patient, start = invited(bot, **fields)
    comes_in(bot, a_text(CHAT, start))
    patient.refresh_from_db()
    return patient


def button(bot: Bot, number: int) -> str:
    """The data of a button of the last question."""
    rows = answers(bot)[-1].buttons
    assert rows
    return str(rows[number][0]["callback_data"])


def told(bot: Bot) -> list[tuple[str, Patient]]:
    """Return the notes about failed enrolments."""
    return [(note.kind, note.patient) for note in enrolment_notes.unseen(bot.clinic)]
