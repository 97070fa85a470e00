"""What follows a Message that asks for an answer: the answer noted, the Message once more, its buttons replaced.

A reminder is the same question as the Message that it reminds of; what comes later by the patient's wish is a new one.
"""

import datetime as dt

from django.db.models import Q, QuerySet

from companion.delivery import lifecycle
from companion.schedules import buttons
from companion.schedules.models import Follow, IfUnknown, Lane, Message, Quiet, Status
from companion.schedules.reasons import Reason
from companion.schedules.text import as_it_stands
from companion.schedules.wording import template_of
from companion.service.wake import ring

SHOWN_LATE_AFTER = dt.timedelta(days=1)
"""For so long it is tried to replace the buttons."""


def locked(messages: QuerySet[Message]) -> Message | None:
    """The Message, locked: of two answers at one moment the second one sees the first."""
    return messages.select_for_update(of=("self",)).select_related("version__schedule", "patient").first()


def one_question(message: Message) -> list[Message]:
    """The Message and what reminded of it: an answer to either answers both."""
    first = message.follows_id if message.follow_kind == Follow.REMINDER else message.pk
    same = Q(pk=first) | Q(follows=first, follow_kind=Follow.REMINDER)
    return list(Message.objects.filter(same, clinic_id=message.clinic_id))


def of(message: Message) -> list[Message]:
    """What said it again, or is to."""
    own = Message.objects.filter(clinic_id=message.clinic_id, follows=message)
    return list(own.exclude(follow_kind=Follow.SHOWN).order_by("due_at"))


def answered(question: list[Message], *, now: dt.datetime) -> list[Message]:
    """Nobody waits for an answer any more, and nothing that was to ask for it again goes out. All that it answers:
    what was asked for later, too, where the answer is another one by now."""
    ids = [message.pk for message in question]
    later = list(Message.objects.filter(follows__in=ids, follow_kind=Follow.LATER))
    answered = Message.objects.filter(pk__in=[*ids, *(message.pk for message in later)])
    answered.filter(answered_at=None).update(answered_at=now, answer_by=None)
    lifecycle.stop(answered.filter(follows__isnull=False, status=Status.PENDING), Reason.BY_PERSON, now=now)
    return [*question, *later]


def say_again(message: Message, kind: Follow, *, due_at: dt.datetime, now: dt.datetime, before: str = "") -> bool:
    """Plans it once more for `due_at`, after the words `before`; False where that was done already.

    It is the clinic's message, so that all that holds for its schedule holds for it, too.
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
    """Has the buttons under it replaced by the answer, by the way that all takes; one that waits shows the newest."""
    if message.telegram_message_id is None:
        return
    rows = buttons.answer_shown(message.pk, words)
    shown = Message.objects.filter(follows=message, follow_kind=Follow.SHOWN)
    if shown.exists():
        lifecycle.move(shown.filter(status=Status.PENDING), text=as_it_stands(words), buttons=rows)
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
        # To say it a second time changes nothing.
        if_unknown=IfUnknown.RESEND,
        text=as_it_stands(words),
        buttons=rows,
        follows=message,
        follow_kind=Follow.SHOWN,
        created_at=now,
    )
    ring()
