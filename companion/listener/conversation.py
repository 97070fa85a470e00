"""A patient's conversation: what we sent and what came back, in one line of time. It reads only."""

import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Literal

from companion.clinics.models import Clinic
from companion.listener.models import Reply
from companion.patients.models import Patient
from companion.schedules.models import Message, Status
from companion.schedules.wording import texts_of


@dataclass(frozen=True, slots=True)
class Item:
    """One message (out) or Reply (in). `message` is the Message that was sent, or that the Reply answers."""

    at: dt.datetime
    direction: Literal["out", "in"]
    text: str = field(repr=False)
    message: uuid.UUID | None


def conversation(clinic: Clinic, patient: Patient, *, limit: int) -> list[Item]:
    """The newest `limit` items, oldest first. What waits or failed was not said, and is not among them."""
    sent = Message.objects.filter(clinic=clinic, patient=patient, status=Status.SENT)
    # By the due instant, which messages_of_a_patient is sorted by; what was sent late is put in its place below.
    newest = list(sent.select_related("clinic", "patient", "version").order_by("-due_at", "-id")[:limit])
    texts = texts_of(newest)
    out = [Item(message.sent_at or message.due_at, "out", texts[message.id], message.id) for message in newest]
    replies = Reply.objects.filter(clinic=clinic, patient=patient).order_by("-at")[:limit]
    came = [Item(reply.at, "in", reply.text, reply.message_id) for reply in replies]
    return sorted(out + came, key=lambda item: item.at)[-limit:] if limit else []
