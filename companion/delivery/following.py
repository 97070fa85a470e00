"""Follow up a Message that asks for an answer: note the answer, repeat the Message, replace its buttons.

A reminder repeats the question of its Message. A Message that the patient wants to get later asks a new question.
"""

import datetime as dt
from typing import Final

from django.db.models import Q, QuerySet

from companion.delivery import lifecycle
from companion.schedules.models import Follow, IfUnknown, Lane, Message, Quiet, Status
from companion.schedules.reasons import Reason
from companion.schedules.text import as_it_stands
from companion.schedules.wording import template_of
from companion.service.wake import ring

SHOWN_LATE_AFTER: Final = dt.timedelta(days=1)
"""The time for which the dispatcher tries to replace the buttons."""


def locked(messages: QuerySet[Message]) -> Message | None:
    """Lock the Message and return it. If two answers come at the same moment, the second then sees the first."""
    return messages.select_for_update(of=("self",)).select_related("version__schedule", "patient").first()


def one_question(message: Message) -> list[Message]:
    """Return the Message and its reminder: an answer to one of them answers both."""
    first = message.follows_id if message.follow_kind == Follow.REMINDER else message.pk
    same = Q(pk=first) | Q(follows=first, follow_kind=Follow.REMINDER)
    return list(Message.objects.filter(same, clinic_id=message.clinic_id))


def of(message: Message) -> list[Message]:
    """Return the Messages that repeat this Message, sent or planned."""
    follow_ups = Message.objects.filter(clinic_id=message.clinic_id, follows=message)
    return list(follow_ups.exclude(follow_kind=Follow.SHOWN).order_by("due_at"))


def answered(question: list[Message], *, now: dt.datetime) -> list[Message]:
    """End the wait for an answer, and stop the Messages that would ask again. Return all answered Messages.

    The answer also counts for Messages that the patient wanted to get later: it replaces that wish.
    """
    ids = [message.pk for message in question]
    later = list(Message.objects.filter(follows__in=ids, follow_kind=Follow.LATER))
    answered = Message.objects.filter(pk__in=[*ids, *(message.pk for message in later)])
    answered.filter(answered_at=None).update(answered_at=now, answer_by=None)
    lifecycle.stop(answered.filter(follows__isnull=False, status=Status.PENDING), Reason.BY_PERSON, now=now)
    return [*question, *later]


def say_again(message: Message, kind: Follow, *, due_at: dt.datetime, now: dt.datetime, before: str = "") -> bool:
    """Plan the Message once more for `due_at`, with the words `before` in front of its text.

    The new Message keeps the version, so that the rules of the same Schedule hold for it. Returns False if the Message
    was repeated already.
    """
    if message.version is None or Message.objects.filter(follows=message, follow_kind=kind).exists():
        return False
    late_after = message.version.schedule.late_after
    Message.objects.create(
        clinic_id=message.clinic_id,
        version=message.version,
        patient_id=message.patient_id,
        occurrence=message.occurrence,
        lane=message.lane,
        due_at=due_at,
        ready_at=due_at,
        late_at=due_at + late_after,
        quiet_hours=message.quiet_hours,
        if_unknown=message.if_unknown,
        text=f"{before}{template_of(message)}" if before else message.text,
        follows=message,
        follow_kind=kind,
        created_by_kind="patient" if kind == Follow.LATER else "service",
        created_by_name=kind.label,
        created_at=now,
    )
    ring()
    return True


def show_answer(message: Message, telegram_id: int, words: str, *, now: dt.datetime) -> None:
    """Queue a Message that shows the answer in place of the buttons. If such a Message exists, change its answer."""
    if message.telegram_message_id is None:
        return
    shown = Message.objects.filter(follows=message, follow_kind=Follow.SHOWN)
    if shown.exists():
        lifecycle.move(shown.filter(status=Status.PENDING), text=as_it_stands(words))
        return
    Message.objects.create(
        clinic_id=message.clinic_id,
        patient_id=message.patient_id,
        telegram_id=telegram_id,
        telegram_message_id=message.telegram_message_id,
        lane=Lane.ANSWER,
        due_at=now,
        ready_at=now,
        late_at=now + SHOWN_LATE_AFTER,
        quiet_hours=Quiet.IGNORE,
        # A second replacement of the buttons changes nothing.
        if_unknown=IfUnknown.RESEND,
        # The buttons are made of this text when they are sent (payload.py): here the answer is sealed.
        text=as_it_stands(words),
        follows=message,
        follow_kind=Follow.SHOWN,
        created_at=now,
    )
    ring()
