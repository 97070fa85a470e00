"""A Message as people see it: read once for the list, the message's page, the series' page and the API. Reads only.

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
        """A member by name, a program by its key's name."""
        return f"API key {self.name}" if self.kind == "key" else self.name


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A Message with all that people read of it."""

    message: Message
    text: str = field(repr=False)
    """The text as the patient gets or got it."""
    template: str = field(repr=False)
    """The text with its placeholders."""
    rule: str
    """The times of its schedule in one sentence; empty without a schedule."""
    author: Author | None
    reason: Reason | None
    why: str
    """The reason in a sentence: what happened and what to do; empty without a reason."""
    wont_arrive: str
    """The reason why a pending Message can't arrive at present; empty if it can."""
    waiting: Waiting | None
    """The wait of a pending Message that may not go at its due instant; None for all others."""
    on_its_way: bool
    tapped: str
    """The words on the button that the patient tapped last."""

    @property
    def answer(self) -> str:
        """The button that was tapped; "in words" where the patient wrote instead."""
        return self.tapped or ("in words" if self.message.answered_at else "")


def shown(messages: Iterable[Message]) -> list[ShownMessage]:
    """Messages of one clinic as people see them, in their order: at most three queries, however many they are."""
    found = list(messages)
    texts, answers, waits = texts_of(found), answers_of(found), waits_of(found)
    rules = {one.schedule.id: one.schedule for one in found if one.schedule}
    sentences = {key: series.summary(schedule) for key, schedule in rules.items()}
    return [
        ShownMessage(
            message=one,
            text=texts[one.id],
            template=template_of(one),
            rule=sentences[one.schedule_id] if one.schedule_id else "",
            author=author_of(one),
            reason=Reason(one.reason) if one.reason else None,
            why=why_of(one),
            wont_arrive=wont_arrive(one, one.clinic),
            waiting=waits.get(one.id),
            on_its_way=on_its_way(one),
            tapped=answers.get(one.id, ""),
        )
        for one in found
    ]


def author_of(planned: Message | Schedule) -> Author | None:
    """The author of a Schedule, or of a Message, where its Schedule's counts. None for an automatic answer."""
    if isinstance(planned, Message) and planned.schedule:
        planned = planned.schedule
    return Author(planned.created_by_kind, planned.created_by_name) if planned.created_by_kind else None
