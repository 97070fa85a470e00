"""A Message as a row of a list: its words, its group, and the act that the row offers."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal
from uuid import NAMESPACE_URL, uuid5
from zlib import crc32

from django.urls import reverse

from companion.listener.shown import ShownMessage, author_of, shown
from companion.planning.listing import Item
from companion.schedules.models import Message, Schedule, Status
from companion.schedules.queries import OVERDUE_AFTER
from companion.schedules.reasons import Reason
from companion.schedules.waiting import Waiting
from companion.schedules.wording import template_of

Group = Literal["Overdue", "Waiting", "Just now", "Next", "Later", "Planned", "Earlier"]
NEXT_WITHIN: Final = dt.timedelta(hours=1)
SHOWN: Final = 160


@dataclass(frozen=True, slots=True)
class Row:
    """A row. `stamp` changes with the shown values; the live list compares it to find the rows that changed."""

    message: Message
    group: Group
    text: str
    rule: str
    wont_arrive: str
    waits: Waiting | None
    why: str
    by: str
    action: Literal["cancel", "retry", "invite", ""]
    on_its_way: bool
    stamp: str
    answer: str
    """The tapped answer, or "in words" if the patient wrote a reply instead."""
    key: str
    address: str
    planned: bool = False
    """True if there is no Message yet."""
    patients: int = 1
    """The number of patients. If there are several, `message` has no patient."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a heading."""

    title: Group
    rows: list[Row]


def rows(messages: Iterable[Message], *, now: dt.datetime) -> list[Row]:
    """Build the rows of these Messages, in their order."""
    return [_row(facts, now=now) for facts in shown(messages)]


def _row(facts: ShownMessage, *, now: dt.datetime) -> Row:
    message, text, heading = facts.message, one_line(facts.text), group(facts.message, now=now)
    return Row(
        message=message,
        group=heading,
        text=text,
        rule=facts.rule if message.schedule and message.schedule.recurrence else "",
        wont_arrive=facts.wont_arrive,
        waits=facts.waiting if heading == "Waiting" else None,
        why=facts.reason.short if facts.reason else "",
        by=facts.author.words if facts.author else "",
        action=_action(facts),
        on_its_way=facts.on_its_way,
        stamp=_stamp(facts, text),
        answer=facts.answer,
        key=str(message.id),
        address=reverse("message", args=[message.id]),
    )


def mixed(items: Iterable[Item], *, now: dt.datetime) -> list[Row]:
    """Build the rows of Messages and of the planned Occurrences between them, in their order."""
    items = list(items)
    built = rows([item.message for item in items], now=now)
    return [_planned(row, item) if item.planned else row for row, item in zip(built, items, strict=True)]


def _planned(row: Row, item: Item) -> Row:
    message = item.message
    # The row needs the same key at each request, although no row of the database stands behind it.
    name = f"{message.schedule_id}{message.occurrence}{message.patient_id}{message.due_at}"
    row = replace(row, planned=True, patients=item.patients, action="", key=str(uuid5(NAMESPACE_URL, name)))
    if message.patient:
        return replace(row, address=planned_address(message))
    series_page = reverse("series", args=[message.schedule_id])
    return replace(row, address=series_page, text=one_line(template_of(message)))


def planned_address(message: Message) -> str:
    """Return the address of the page about an Occurrence that is planned for a single patient."""
    return reverse("occurrence", args=[message.schedule_id, message.occurrence, message.patient_id])


def _stamp(facts: ShownMessage, text: str) -> str:
    message, words = facts.message, crc32(f"{text}{facts.answer}".encode())
    begun = message.open_attempt_id or ""
    waits = message.ready_at.timestamp() if facts.waiting else ""
    due, wont_arrive = message.due_at.timestamp(), facts.wont_arrive
    return f"{message.status}|{begun}|{message.reason}|{due}|{wont_arrive}|{waits}|{words}"


def one_line(text: str) -> str:
    """Shorten a text so that it fits into a row."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def sections(listed: Iterable[Row]) -> list[Section]:
    """Put rows under headings. Neighbouring rows of one group stand under one heading."""
    made: list[Section] = []
    for row in listed:
        if not made or made[-1].title != row.group:
            made.append(Section(row.group, []))
        made[-1].rows.append(row)
    return made


def group(message: Message, *, now: dt.datetime) -> Group:
    """Return the heading under which the day's list shows a Message."""
    if message.due_at < now - OVERDUE_AFTER:
        if message.status != Status.PENDING:
            return "Earlier"
        return "Waiting" if message.ready_at > now - OVERDUE_AFTER else "Overdue"
    if message.due_at <= now and message.status != Status.PENDING:
        return "Just now"
    return "Next" if message.due_at < now + NEXT_WITHIN else "Later"


def author(schedule: Schedule) -> str:
    """Name the author of a Schedule."""
    made_by = author_of(schedule)
    return made_by.words if made_by else ""


def _action(facts: ShownMessage) -> Literal["cancel", "retry", "invite", ""]:
    message = facts.message
    if message.status == Status.PENDING:
        return "" if facts.on_its_way else "cancel"
    if message.status != Status.FAILED:
        return ""
    without_chat = message.patient is not None and message.patient.telegram_id is None
    return "invite" if message.reason == Reason.NO_TELEGRAM_ID and without_chat else "retry"
