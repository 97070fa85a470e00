"""Keeping what a patient wrote or tapped as a Reply, with the patient and the Message that it belongs to."""

import datetime as dt
import uuid
from typing import Final

from django.db.models import Q

from companion.listener import media
from companion.listener.asking import Chat
from companion.listener.models import Media, Reply, ReplyKind
from companion.listener.updates import Tapped, Wrote
from companion.schedules.models import Follow, Lane, Message, Status

ONE_BOT_FOR: Final = dt.timedelta(days=1)
"""An edited message came in at most so long before Telegram's own date of it."""
_PLACES: Final = ("location", "venue")


def keep_text(chat: Chat, wrote: Wrote, update_id: int) -> Reply:
    """A text, or what is told of content that is none, with a note of its file."""
    kind = ReplyKind.TEXT if wrote.is_text else ReplyKind.OTHER
    answered = _answered(chat, wrote.answers)
    reply = _keep(chat, kind, wrote.text, answered, wrote.message_id, update_id, wrote.at)
    _note_file(reply, wrote)
    return reply


def first_wording(chat: Chat, said: Wrote) -> Reply | None:
    """The Reply that is edited here; None where it never came in."""
    if said.message_id is None:
        return None
    in_chat = Reply.objects.filter(
        clinic=chat.clinic, telegram_id=chat.telegram_id, telegram_message_id=said.message_id, corrects=None
    )
    # A tap carries the number of our own message. Another bot, earlier on, has counted for itself.
    own = in_chat.exclude(kind=ReplyKind.TAP).filter(at__gte=said.at - ONE_BOT_FOR)
    return own.order_by("-at").first()


def says_already(first: Reply, said: Wrote) -> bool:
    """Whether nothing was changed that staff could see: Telegram reports other changes of a message, too."""
    return _newest(first).text == said.text and not _brings_a_file(first, said)


def moved(first: Reply, said: Wrote, update_id: int) -> bool:
    """Whether it is a live location that moves; keeps its latest place beside its first one.

    It moves every few seconds, so the latest place is one Reply, which moves along.
    """
    if said.content is None or said.content.kind not in _PLACES:
        return False
    newest = _newest(first)
    if not newest.text.startswith(f"[{said.content.kind}]"):
        return False
    if not said.content.summary:
        # A place that can't be read says nothing of where it is now.
        return True
    if newest is first:
        keep_correction(first, said, update_id)
    else:
        newest.text, newest.at, newest.update_id = said.text, said.edited_at or said.at, update_id
        newest.save(update_fields=["text", "at", "update_id"])
    return True


def keep_correction(first: Reply, said: Wrote, update_id: int) -> Reply:
    """A later wording of this Reply, with the patient and the Message that it belongs to."""
    brings_a_file = _brings_a_file(first, said)
    reply = Reply.objects.create(
        clinic_id=first.clinic_id,
        patient_id=first.patient_id,
        message_id=first.message_id,
        kind=ReplyKind.TEXT if said.is_text else ReplyKind.OTHER,
        text=said.text,
        telegram_id=first.telegram_id,
        telegram_message_id=first.telegram_message_id,
        update_id=update_id,
        at=said.edited_at or said.at,
        corrects=first,
    )
    if brings_a_file:
        _note_file(reply, said)
    return reply


def tapped_last(chat: Chat, message_id: int | None, label: str) -> bool:
    """Whether the last tap under this message of ours was on the same button."""
    own = Reply.objects.filter(clinic=chat.clinic, telegram_id=chat.telegram_id, telegram_message_id=message_id)
    last = own.filter(kind=ReplyKind.TAP).order_by("-at", "-id").first()
    return last is not None and last.text == label


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


def _newest(first: Reply) -> Reply:
    """The latest wording of this Reply."""
    return first.corrections.order_by("-at", "-id").first() or first


def _brings_a_file(first: Reply, said: Wrote) -> bool:
    """Whether its file is another one than before."""
    file = said.content.file if said.content else None
    before = Media.objects.filter(Q(reply=first) | Q(reply__corrects=first)).order_by("-came_at").first()
    return file is not None and (before is None or before.file_id != file.file_id)


def _note_file(reply: Reply, said: Wrote) -> None:
    if said.content and said.content.file:
        media.note(reply, said.content.kind, said.content.file)


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
