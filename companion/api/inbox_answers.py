"""Conversations in the shapes of inbox_shapes.py."""

from collections.abc import Sequence

from companion.api.inbox_shapes import Holder, InboxItem, LastReply
from companion.api.message_shapes import PatientName
from companion.listener.models import Conversation


def items_of(conversations: Sequence[Conversation]) -> list[InboxItem]:
    """The shapes of many conversations."""
    return [item_of(one) for one in conversations]


def item_of(one: Conversation) -> InboxItem:
    """The shape of one conversation."""
    last = one.last_reply
    return InboxItem(
        id=one.id,
        patient=PatientName(id=one.patient.id, name=one.patient.name) if one.patient else None,
        telegram_id=one.telegram_id,
        standing=one.standing,
        holder=Holder(id=one.holder_id, name=one.holder_name) if one.held else None,
        since=one.since,
        unread=one.unread,
        urgent_at=one.urgent_at,
        unanswered=one.unanswered_id,
        last=LastReply(id=last.id, at=last.at, kind=last.kind, text=last.text) if last else None,
    )
