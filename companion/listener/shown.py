"""A Message as people see it, in one form for the list, the message's page, the series' page and the API. Reads only.

Not here: which Messages a list shows (schedules/queries.py, planning/listing.py), and the words of a page around them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from companion.listener.conversation import answers_of
from companion.planning import series
from companion.schedules.models import Message, Schedule
from companion.schedules.queries import on_its_way
from companion.schedules.reasons import Reason
from companion.schedules.waiting import Waiting, waits_of
from companion.schedules.wording import template_of, texts_of, why_of, wont_arrive


@dataclass(frozen=True, slots=True)
class Author:
    """The member or program that planned something."""

    kind: str
    name: str

    @property
    def words(self) -> str:
        """Return the member's name, or "API key" and the key's name."""
        return f"API key {self.name}" if self.kind == "key" else self.name


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A Message with everything that people read about it."""

    message: Message
    text: str = field(repr=False)
    """The text as the patient gets or got it."""
    template: str = field(repr=False)
    """The text with its placeholders."""
    rule: str
    """The times of its Schedule in one sentence; empty without a Schedule."""
    author: Author | None
    reason: Reason | None
    why: str
    """The reason in a sentence: what happened and what to do; empty without a reason."""
    wont_arrive: str
    """The reason why a pending Message can't arrive at present; empty if it can."""
    waiting: Waiting | None
    """The wait of a pending Message that may not go at its due instant; None for all other Messages."""
    on_its_way: bool
    tapped: str
    """The words on the button that the patient tapped last."""

    @property
    def answer(self) -> str:
        """Return the text of the tapped button, "in words" if the patient wrote instead, or "" without an answer."""
        return self.tapped or ("in words" if self.message.answered_at else "")


def shown(messages: Iterable[Message]) -> list[ShownMessage]:
    """Return Messages of one clinic as people see them, in their order, with at most three queries for all of them."""
    messages = list(messages)
    texts, answers, waits = texts_of(messages), answers_of(messages), waits_of(messages)
    schedules = {message.schedule.id: message.schedule for message in messages if message.schedule}
    rules = {key: series.summary(schedule) for key, schedule in schedules.items()}
    return [
        ShownMessage(
            message=message,
            text=texts[message.id],
            template=template_of(message),
            rule=rules[message.schedule_id] if message.schedule_id else "",
            author=author_of(message),
            reason=Reason(message.reason) if message.reason else None,
            why=why_of(message),
            wont_arrive=wont_arrive(message, message.clinic),
            waiting=waits.get(message.id),
            on_its_way=on_its_way(message),
            tapped=answers.get(message.id, ""),
        )
        for message in messages
    ]


def author_of(planned: Message | Schedule) -> Author | None:
    """Return the author of a Schedule or of a Message; None for an automatic answer.

    The author of a Message with a Schedule is the author of the Schedule.
    """
    if isinstance(planned, Message) and planned.schedule:
        planned = planned.schedule
    return Author(planned.created_by_kind, planned.created_by_name) if planned.created_by_kind else None
