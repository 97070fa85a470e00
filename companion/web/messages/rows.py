"""A Message as a row of a list: its words, its group, and the act that the row offers."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal
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

Group = Literal["Overdue", "Waiting", "Next", "Later", "Planned", "Earlier"]
NEXT_WITHIN = dt.timedelta(hours=1)
SHOWN = 160


@dataclass(frozen=True, slots=True)
class Row:
    """A row. `stamp` changes with the shown values, so that a live list finds the rows that changed."""

    message: Message
    group: Group
    text: str
    rule: str
    wont: str
    waits: Waiting | None
    why: str
    by: str
    action: Literal["cancel", "retry", "invite", ""]
    on_its_way: bool
    stamp: str
    answer: str
    """The tapped answer; "in words" if the patient wrote a reply instead."""
    key: str
    address: str
    planned: bool = False
    """True if there is no Message yet."""
    patients: int = 1
    """The number of patients; with more than one, the Message has no patient."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows under a heading."""

    title: Group
    rows: list[Row]


def rows(messages: Iterable[Message], *, now: dt.datetime) -> list[Row]:
    """Build the rows of these Messages, in their order."""
    return [_row(one, now=now) for one in shown(messages)]


def _row(one: ShownMessage, *, now: dt.datetime) -> Row:
    message, text, part = one.message, one_line(one.text), group(one.message, now=now)
    return Row(
        message=message,
        group=part,
        text=text,
        rule=one.rule if message.schedule and message.schedule.recurrence else "",
        wont=one.wont_arrive,
        waits=one.waiting if part == "Waiting" else None,
        why=one.reason.short if one.reason else "",
        by=one.author.words if one.author else "",
        action=_action(one),
        on_its_way=one.on_its_way,
        stamp=_stamp(one, text),
        answer=one.answer,
        key=str(message.id),
        address=reverse("message", args=[message.id]),
    )


def mixed(items: Iterable[Item], *, now: dt.datetime) -> list[Row]:
    """Build the rows of Messages and of the planned Occurrences between them, in their order."""
    found = list(items)
    built = rows([item.message for item in found], now=now)
    return [_planned(row, item) if item.planned else row for row, item in zip(built, found, strict=True)]


def _planned(row: Row, item: Item) -> Row:
    message = item.message
    # A row needs the same key each time, although nothing is stored.
    name = f"{message.schedule_id}{message.occurrence}{message.patient_id}{message.due_at}"
    row = replace(row, planned=True, patients=item.patients, action="", key=str(uuid5(NAMESPACE_URL, name)))
    if message.patient:
        return replace(row, address=planned_address(message))
    series_page = reverse("series", args=[message.schedule_id])
    return replace(row, address=series_page, text=one_line(template_of(message)))


def planned_address(message: Message) -> str:
    """Return the page's address of an Occurrence that is planned for a single patient."""
    return reverse("occurrence", args=[message.schedule_id, message.occurrence, message.patient_id])


def _stamp(one: ShownMessage, text: str) -> str:
    message, words = one.message, crc32(f"{text}{one.answer}".encode())
    begun = message.open_attempt_id or ""
    waits = message.ready_at.timestamp() if one.waiting else ""
    return f"{message.status}|{begun}|{message.reason}|{message.due_at.timestamp()}|{one.wont_arrive}|{waits}|{words}"


def one_line(text: str) -> str:
    """Shorten a text so that it fits into a row."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def sections(listed: Iterable[Row]) -> list[Section]:
    """Put rows under headings; each run of rows with the same group gets its heading once."""
    found: list[Section] = []
    for row in listed:
        if not found or found[-1].title != row.group:
            found.append(Section(row.group, []))
        found[-1].rows.append(row)
    return found


def group(message: Message, *, now: dt.datetime) -> Group:
    """Say in which part of the day's list a Message stands."""
    if message.due_at < now - OVERDUE_AFTER:
        if message.status != Status.PENDING:
            return "Earlier"
        return "Waiting" if message.ready_at > now - OVERDUE_AFTER else "Overdue"
    return "Next" if message.due_at < now + NEXT_WITHIN else "Later"


def author(schedule: Schedule) -> str:
    """Name the author of a Schedule."""
    made_by = author_of(schedule)
    return made_by.words if made_by else ""


def _action(one: ShownMessage) -> Literal["cancel", "retry", "invite", ""]:
    message = one.message
    if message.status == Status.PENDING:
        return "" if one.on_its_way else "cancel"
    if message.status != Status.FAILED:
        return ""
    mute = message.patient is not None and message.patient.telegram_id is None
    return "invite" if message.reason == Reason.NO_TELEGRAM_ID and mute else "retry"
