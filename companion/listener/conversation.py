"""A patient's conversation: our messages and the patient's replies in order of time. Queries only."""

import datetime as dt
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from django.db.models import QuerySet

from companion.clinics.models import Clinic
from companion.listener.models import Media, Reply, ReplyKind
from companion.patients.models import Patient
from companion.schedules.models import Follow, Lane, Message, Status
from companion.schedules.wording import texts_of

ON_THE_WAY_FOR: Final = dt.timedelta(hours=1)
# The form in which telegram/content.py writes a place. A patient can't imitate it: the text of such a Reply begins with
# the kind of content, and never with the patient's words.
_PLACE: Final = re.compile(r"\[(?:location|venue)\] (-?\d+\.\d+), (-?\d+\.\d+)")
_MAP: Final = "https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=17/{latitude}/{longitude}"


@dataclass(frozen=True, slots=True)
class Wording:
    """An earlier wording of a message that the patient edited. `at` is the time at which this wording came in."""

    at: dt.datetime
    text: str = field(repr=False)
    media: Media | None = None
    map_link: str = ""
    """A link to a map with an earlier place of the patient's live location."""


@dataclass(frozen=True, slots=True)
class Item:
    """A message (out) or a Reply (in). `message` is the Message that was sent, or that the Reply answers."""

    at: dt.datetime
    direction: Literal["out", "in"]
    text: str = field(repr=False)
    message: uuid.UUID | None
    kind: str = "message"
    """The kind of a Reply (text, tap or other); "message" for a Message."""
    by: str = ""
    """The member or program that wrote the message; "" if a schedule did."""
    media: Media | None = None
    """The file that came with the Reply."""
    edited_at: dt.datetime | None = None
    """The time of the patient's last edit; `text` is the newest wording."""
    earlier: tuple[Wording, ...] = ()
    """The earlier wordings, the oldest first."""

    @property
    def map_link(self) -> str:
        """Return a link to a map with the place that the patient sent; "" for other messages."""
        return _map_link(self.kind, self.text)


def conversation(clinic: Clinic, patient: Patient, *, limit: int) -> list[Item]:
    """Return the newest `limit` items, the oldest first. Messages that wait or failed are left out."""
    sent = Message.objects.filter(clinic=clinic, patient=patient, status=Status.SENT).exclude(follow_kind=Follow.SHOWN)
    # The index messages_of_a_patient is sorted by the due instant. The last line sorts by the time of sending.
    newest = list(sent.select_related("clinic", "patient", "version").order_by("-due_at", "-id")[:limit])
    texts = texts_of(newest)
    out = [
        Item(message.sent_at or message.due_at, "out", texts[message.id], message.id, by=message.created_by_name)
        for message in newest
    ]
    replies = _items_of(Reply.objects.filter(clinic=clinic, patient=patient), limit)
    return sorted(out + replies, key=lambda item: item.at)[-limit:] if limit else []


def of_stranger(clinic: Clinic, telegram_id: int, *, limit: int) -> list[Item]:
    """Return the newest items of a chat that belongs to no patient, the oldest first."""
    chat = Message.objects.filter(clinic=clinic, patient=None, telegram_id=telegram_id, lane=Lane.STRANGER)
    sent = chat.filter(status=Status.SENT).select_related("clinic").order_by("-due_at", "-id")[:limit]
    texts = texts_of(list(sent))
    out = [
        Item(message.sent_at or message.due_at, "out", texts[message.id], message.id, by=message.created_by_name)
        for message in sent
    ]
    replies = _items_of(Reply.objects.filter(clinic=clinic, patient=None, telegram_id=telegram_id), limit)
    return sorted(out + replies, key=lambda item: item.at)[-limit:]


def _items_of(replies: QuerySet[Reply], limit: int) -> list[Item]:
    """Return the newest Replies as items. An edited message keeps the time of its first wording."""
    oldest_first = list(replies.filter(corrects=None).order_by("-at", "-id")[:limit])[::-1]
    written = [reply for reply in oldest_first if reply.kind != ReplyKind.TAP]
    wordings = {reply.pk: [reply] for reply in oldest_first}
    for correction in Reply.objects.filter(corrects__in=written).order_by("at", "id") if written else ():
        wordings[correction.corrects_id or correction.pk].append(correction)
    with_content = [reply.pk for replies in wordings.values() for reply in replies if reply.kind == ReplyKind.OTHER]
    files = {file.reply_id: file for file in Media.objects.filter(reply__in=with_content)} if with_content else {}
    return [_item(replies, files) for replies in wordings.values()]


def _item(wordings: list[Reply], files: Mapping[uuid.UUID, Media]) -> Item:
    first, last = wordings[0], wordings[-1]
    # An edit has a file only if the file changed. If only the caption changed, the earlier file is shown.
    with_file = next((reply for reply in reversed(wordings) if reply.pk in files), last)
    earlier = [
        Wording(
            reply.at,
            reply.text,
            None if reply is with_file else files.get(reply.pk),
            _map_link(reply.kind, reply.text),
        )
        for reply in wordings[:-1]
    ]
    return Item(
        first.at,
        "in",
        last.text,
        first.message_id,
        kind=last.kind,
        media=files.get(with_file.pk),
        edited_at=last.at if earlier else None,
        earlier=tuple(earlier),
    )


def _map_link(kind: str, text: str) -> str:
    place = _PLACE.match(text) if kind == ReplyKind.OTHER else None
    return _MAP.format(latitude=place[1], longitude=place[2]) if place else ""


def on_the_way(clinic: Clinic, patient: Patient | None, telegram_id: int | None, *, now: dt.datetime) -> list[Message]:
    """Return members' answers of the last hour that are pending or failed, at most ten."""
    lanes = (Lane.ANSWER, Lane.STRANGER)
    lately = Message.objects.filter(clinic=clinic, patient=patient, lane__in=lanes, due_at__gt=now - ON_THE_WAY_FOR)
    if patient is None:
        lately = lately.filter(telegram_id=telegram_id)
    lately = lately.filter(status__in=(Status.PENDING, Status.FAILED), created_by_kind="member")
    return list(lately.order_by("due_at")[:10])


def answers_of(messages: Sequence[Message]) -> dict[uuid.UUID, str]:
    """Return the text of the button that was tapped last, by Message id, for Messages of one clinic."""
    answered = [message.pk for message in messages if message.answered_at]
    if not answered:
        return {}
    taps = Reply.objects.filter(clinic=messages[0].clinic_id, message__in=answered, kind=ReplyKind.TAP)
    return {reply.message_id: reply.text for reply in taps.order_by("at", "id") if reply.message_id}
