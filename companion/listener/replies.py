"""Keeping what a patient wrote or tapped as a Reply, with the patient and the Message that it belongs to."""

import datetime as dt
import uuid

from companion.listener import media
from companion.listener.asking import Chat
from companion.listener.models import Reply, ReplyKind
from companion.listener.updates import Tapped, Wrote
from companion.schedules.models import Follow, Lane, Message, Status


def keep_text(chat: Chat, wrote: Wrote, update_id: int) -> Reply:
    """A text, or what is told of content that is none, with a note of its file."""
    kind = ReplyKind.TEXT if wrote.is_text else ReplyKind.OTHER
    answered = _answered(chat, wrote.answers)
    reply = _keep(chat, kind, wrote.text, answered, wrote.message_id, update_id, wrote.at)
    if wrote.content and wrote.content.file:
        media.note(reply, wrote.content.kind, wrote.content.file)
    return reply


def keep_tap(chat: Chat, tapped: Tapped, update_id: int) -> Reply:
    """A tap on a button, in the button's words."""
    answered = _answered(chat, tapped.message_id)
    return _keep(chat, ReplyKind.TAP, tapped.label, answered, tapped.message_id, update_id, chat.now)


def keep_answer(chat: Chat, message: Message, label: str, message_id: int | None, update_id: int) -> Reply:
    """A tap on an answer button of this Message."""
    return _keep(chat, ReplyKind.TAP, label, message, message_id, update_id, chat.now)


def _keep(
    chat: Chat,
    kind: ReplyKind,
    text: str,
    answered: Message | None,
    message_id: int | None,
    update_id: int,
    at: dt.datetime,
) -> Reply:
    return Reply.objects.create(
        clinic=chat.clinic,
        patient_id=answered.patient_id if answered else _written_to_last(chat),
        message=answered,
        kind=kind,
        text=text,
        telegram_id=chat.telegram_id,
        telegram_message_id=message_id,
        update_id=update_id,
        at=at,
    )


def _answered(chat: Chat, message_id: int | None) -> Message | None:
    """Which of our Messages to this chat's patients it is an answer to, where Telegram says so."""
    if message_id is None:
        return None
    ours = Message.objects.filter(clinic=chat.clinic, patient__in=chat.patients, telegram_message_id=message_id)
    return ours.exclude(follow_kind=Follow.SHOWN).order_by("-due_at").first()


def _written_to_last(chat: Chat) -> uuid.UUID | None:
    """Whose a reply is that names no message: on a caregiver's phone the patient's whom we wrote to last."""
    if len(chat.patients) <= 1:
        return chat.patients[0].id if chat.patients else None
    # Answers don't count: they go to whoever wrote.
    sent = Message.objects.filter(clinic=chat.clinic, patient__in=chat.patients, status=Status.SENT)
    last = sent.exclude(lane=Lane.ANSWER).order_by("-sent_at").first()
    return last.patient_id if last else chat.patients[0].id
