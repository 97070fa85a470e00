"""Conversations in the shapes of inbox_shapes.py."""

from collections.abc import Sequence

from companion.api.inbox_shapes import Holder, InboxItem, LastReply
from companion.api.message_shapes import PatientName
from companion.listener.models import Conversation


def items_of(conversations: Sequence[Conversation]) -> list[InboxItem]:
    """Return the shapes of many conversations."""
    return [item_of(conversation) for conversation in conversations]


def item_of(conversation: Conversation) -> InboxItem:
    """Return the shape of one conversation."""
    patient, last = conversation.patient, conversation.last_reply
    holder = Holder(id=conversation.holder_id, name=conversation.holder_name) if conversation.held else None
    return InboxItem(
        id=conversation.id,
        patient=PatientName(id=patient.id, name=patient.name) if patient else None,
        telegram_id=conversation.telegram_id,
        standing=conversation.standing,
        holder=holder,
        since=conversation.since,
        unread=conversation.unread,
        urgent_at=conversation.urgent_at,
        unanswered=conversation.unanswered_id,
        last=LastReply(id=last.id, at=last.at, kind=last.kind, text=last.text) if last else None,
    )
