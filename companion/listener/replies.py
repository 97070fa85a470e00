"""Store a patient's message or tap as a Reply, with its patient and the Message that it answers."""

import datetime as dt
import uuid
from typing import Final

from django.db.models import Q

from companion.listener import media
from companion.listener.chat import Chat
from companion.listener.models import Media, Reply, ReplyKind
from companion.listener.updates import Tapped, Wrote
from companion.schedules.buttons import Button
from companion.schedules.models import Follow, Lane, Message, Status
from companion.webhooks import outbox
from companion.webhooks.models import Kind
from companion.webhooks.outbox import Event

ONE_BOT_FOR: Final = dt.timedelta(days=1)
"""The age up to which a Reply with the same number counts as the first wording of an edited message.

An older Reply may have come to an earlier bot, which had numbers of its own.
"""
_PLACES: Final = ("location", "venue")


def keep_text(chat: Chat, wrote: Wrote, update_id: int) -> Reply:
    """Store a text, or a few words about content without text, and note its file."""
    kind = ReplyKind.TEXT if wrote.is_text else ReplyKind.OTHER
    answered = _answered(chat, wrote.answers)
    reply = _keep(chat, kind, wrote.text, answered, wrote.message_id, update_id, wrote.at)
    _note_file(reply, wrote)
    _tell(reply, chat.now)
    return reply


def first_wording(chat: Chat, incoming: Wrote) -> Reply | None:
    """Return the first wording of an edited message; None if it never came in."""
    if incoming.message_id is None:
        return None
    in_chat = Reply.objects.filter(
        clinic=chat.clinic, telegram_id=chat.telegram_id, telegram_message_id=incoming.message_id, corrects=None
    )
    # A tap carries the number of our message, and not a number of its own: leave taps out.
    written = in_chat.exclude(kind=ReplyKind.TAP).filter(at__gte=incoming.at - ONE_BOT_FOR)
    return written.order_by("-at").first()


def says_already(first: Reply, incoming: Wrote) -> bool:
    """Return whether the edit changed nothing that staff sees: Telegram also reports other changes of a message."""
    return _newest(first).text == incoming.text and not _brings_a_file(first, incoming)


def moved(first: Reply, incoming: Wrote, update_id: int, *, now: dt.datetime) -> bool:
    """Store the latest place of a live location. Return whether the edit is a live location that moved.

    A live location may move every few seconds. So only its first place and its latest place are kept, as two Replies.
    """
    if incoming.content is None or incoming.content.kind not in _PLACES:
        return False
    newest = _newest(first)
    if not newest.text.startswith(f"[{incoming.content.kind}]"):
        return False
    if not incoming.content.summary:
        # The place can't be read. Keep the last place.
        return True
    if newest is first:
        keep_correction(first, incoming, update_id, now=now)
    else:
        newest.text, newest.at, newest.update_id = incoming.text, incoming.edited_at or incoming.at, update_id
        newest.save(update_fields=["text", "at", "update_id"])
    return True


def keep_correction(first: Reply, incoming: Wrote, update_id: int, *, now: dt.datetime) -> Reply:
    """Store a later wording of this Reply, with the same patient and Message."""
    brings_a_file = _brings_a_file(first, incoming)
    reply = Reply.objects.create(
        clinic_id=first.clinic_id,
        patient_id=first.patient_id,
        message_id=first.message_id,
        kind=ReplyKind.TEXT if incoming.is_text else ReplyKind.OTHER,
        text=incoming.text,
        telegram_id=first.telegram_id,
        telegram_message_id=first.telegram_message_id,
        update_id=update_id,
        at=incoming.edited_at or incoming.at,
        corrects=first,
    )
    if brings_a_file:
        _note_file(reply, incoming)
    _tell(reply, now)
    return reply


def tapped_last(chat: Chat, message_id: int | None, label: str) -> bool:
    """Return whether the last tap below this message was on the button with this label."""
    replies = Reply.objects.filter(clinic=chat.clinic, telegram_id=chat.telegram_id, telegram_message_id=message_id)
    last = replies.filter(kind=ReplyKind.TAP).order_by("-at", "-id").first()
    return last is not None and last.text == label


def keep_tap(chat: Chat, tapped: Tapped, update_id: int) -> Reply:
    """Store a tap on a button as a Reply with the button's text."""
    answered = _answered(chat, tapped.message_id)
    reply = _keep(chat, ReplyKind.TAP, tapped.label, answered, tapped.message_id, update_id, chat.now)
    _tell(reply, chat.now)
    return reply


def keep_answer(
    chat: Chat, message: Message, button: Button, index: int, message_id: int | None, update_id: int
) -> Reply:
    """Store a tap on an answer button of this Message."""
    reply = _keep(chat, ReplyKind.TAP, button.text, message, message_id, update_id, chat.now)
    answer = Event(message.id, reply.patient_id, more={"reply": str(reply.id), "button": index})
    outbox.tell(chat.clinic.id, Kind.ANSWER, [answer], now=chat.now)
    return reply


def _tell(reply: Reply, now: dt.datetime) -> None:
    """Note for the clinic's webhooks that the patient wrote. The words themselves are left out.

    A reply comes after the events of the Message that it answers, and an edited reply after its first wording.
    """
    message = str(reply.message_id) if reply.message_id else None
    more = {"reply": str(reply.id), "message": message, "kind": str(reply.kind)}
    more |= {"corrects": str(reply.corrects_id)} if reply.corrects_id else {}
    after = reply.message_id or reply.corrects_id or reply.id
    outbox.tell(reply.clinic_id, Kind.REPLY, [Event(after, reply.patient_id, more=more)], now=now)


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
    """Return the latest wording of this Reply."""
    return first.corrections.order_by("-at", "-id").first() or first


def _brings_a_file(first: Reply, incoming: Wrote) -> bool:
    """Return whether the edit brings another file than before."""
    file = incoming.content.file if incoming.content else None
    before = Media.objects.filter(Q(reply=first) | Q(reply__corrects=first)).order_by("-came_at").first()
    return file is not None and (before is None or before.file_id != file.file_id)


def _note_file(reply: Reply, incoming: Wrote) -> None:
    if incoming.content and incoming.content.file:
        media.note(reply, incoming.content.kind, incoming.content.file)


def _answered(chat: Chat, message_id: int | None) -> Message | None:
    """Return the Message with this number to a patient of this chat; None if Telegram names no such number."""
    if message_id is None:
        return None
    ours = Message.objects.filter(clinic=chat.clinic, patient__in=chat.patients, telegram_message_id=message_id)
    return ours.exclude(follow_kind=Follow.SHOWN).order_by("-due_at").first()


def _written_to_last(chat: Chat) -> uuid.UUID | None:
    """Return the patient of a reply that names no Message: on a caregiver's phone, the patient last written to."""
    if len(chat.patients) <= 1:
        return chat.patients[0].id if chat.patients else None
    # Answers don't count: they go to the person who wrote.
    sent = Message.objects.filter(clinic=chat.clinic, patient__in=chat.patients, status=Status.SENT)
    last = sent.exclude(lane=Lane.ANSWER).order_by("-sent_at").first()
    return last.patient_id if last else chat.patients[0].id
