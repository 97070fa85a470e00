"""Find the questions that a chat has not answered yet, and lock the question that a Reply answers."""

import datetime as dt
from typing import Final

from django.db.models import Q, QuerySet

from companion.delivery import following
from companion.listener.chat import Chat
from companion.listener.models import Reply
from companion.listener.stopping import has_question_mark
from companion.schedules.models import Follow, Message, Status
from companion.schedules.wording import template_of

_BUTTONS_ASK_FOR: Final = dt.timedelta(days=7)
_WORDS_ASK_FOR: Final = dt.timedelta(days=1)


def awaited_by(chat: Chat, reply: Reply) -> list[Message]:
    """Return the question that a Reply answers: the Message that the Reply names, else the last that waits.

    The list has the question and its reminder; it is empty if the Reply answers no question.
    """
    message = reply.message
    if message is None and reply.patient_id:
        waiting = Message.objects.filter(clinic=chat.clinic, patient_id=reply.patient_id, answer_by__isnull=False)
        message = waiting.order_by("-sent_at").first()
    if message is None or message.version_id is None:
        return []
    locked = following.locked(Message.objects.filter(clinic=chat.clinic, pk=message.pk))
    return following.one_question(locked) if locked else []


def question_open(chat: Chat, at: dt.datetime) -> bool:
    """Return whether the clinic had asked the chat's patients something before `at` that was still unanswered.

    A question is a Message that waits for an answer, a Message with answer buttons, or a last Message with a question
    mark. The listener's own questions don't count: the consent question itself tells the patient to send STOP.
    """
    questions = _questions_of_the_clinic(chat, at)
    unanswered = questions.filter(Q(answered_at=None) | Q(answered_at__gte=at))
    waits = Q(answer_by__isnull=False) | Q(answered_at__gte=at)
    has_buttons = Q(version__buttons__isnull=False, sent_at__gt=at - _BUTTONS_ASK_FOR)
    return unanswered.filter(waits | has_buttons).exists() or _words_ask(chat, questions, at)


def _questions_of_the_clinic(chat: Chat, at: dt.datetime) -> QuerySet[Message]:
    sent = Message.objects.filter(clinic=chat.clinic, patient__in=chat.patients, status=Status.SENT, sent_at__lte=at)
    by_the_listener = Q(version=None, created_by_kind="")
    return sent.exclude(by_the_listener).exclude(follow_kind=Follow.SHOWN)


def _words_ask(chat: Chat, questions: QuerySet[Message], at: dt.datetime) -> bool:
    last = questions.filter(sent_at__gt=at - _WORDS_ASK_FOR).select_related("version").order_by("-sent_at").first()
    if last is None or not has_question_mark(template_of(last)):
        return False
    replies = Reply.objects.filter(clinic=chat.clinic, telegram_id=chat.telegram_id)
    return not replies.filter(at__gte=last.sent_at, at__lt=at).exists()
