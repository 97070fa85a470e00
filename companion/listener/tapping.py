"""Handle a tap on an answer button: store it, show it in place of the buttons, and plan a "Later"."""

import datetime as dt
from typing import Final

from babel.dates import format_time
from django.db.models import QuerySet

from companion.delivery import following, lifecycle
from companion.listener import inbox, replies
from companion.listener.chat import Chat
from companion.listener.models import Reply, ReplyKind
from companion.listener.updates import Tapped
from companion.listener.words import Word, say
from companion.patients.languages import locale_of
from companion.patients.models import Consent, Patient
from companion.schedules import buttons
from companion.schedules.buttons import Button
from companion.schedules.models import Follow, Message, State
from companion.times.walls import local

AGAIN_WITHIN: Final = dt.timedelta(days=1)
"""A Message that was sent longer ago than this isn't planned again by "Later"."""


def tapped(chat: Chat, tap: Tapped, update_id: int) -> str:
    """Handle a tap. A repeated tap changes nothing. Return the text to show over the chat; mostly "" (nothing)."""
    data = buttons.read_data(tap.data)
    if data and data.index is None:
        # This button only shows the answer.
        return ""
    message = following.locked(_of_chat(chat).filter(pk=data.message)) if data else None
    if data is None or message is None or message.version is None or message.patient is None:
        replies.keep_tap(chat, tap, update_id)
        return ""
    offered = buttons.read(message.version.buttons)
    if data.index is None or data.index >= len(offered):
        return ""
    if tap.message_id:
        # The tap proves that the Message arrived, even if Telegram's answer never came.
        lifecycle.prove(_of_chat(chat).filter(pk=message.pk), tap.message_id, now=chat.now)
    question = following.one_question(message)
    before = Reply.objects.filter(clinic=chat.clinic, message__in=question, kind=ReplyKind.TAP).order_by("-at").first()
    button = offered[data.index]
    if before and before.text == button.text:
        return ""
    reply = replies.keep_answer(chat, message, button, data.index, tap.message_id, update_id)
    answered = following.answered(question, now=chat.now)
    inbox.answered(question, now=chat.now)
    refused = button.again_after is not None and not _may_come_again(message, before, chat.now)
    if before or refused:
        # A second answer to the question, or a "Later" that is no longer possible: staff has to read it.
        inbox.show_to_staff(reply, urgent=False, now=chat.now)
    if chat.opted_out or message.patient.consent == Consent.WITHDRAWN:
        return ""
    if refused:
        return say(Word.NOT_AGAIN, message.patient.language)
    words = _plan_again(message, message.patient, button, chat.now)
    for answered_message in answered:
        following.show_answer(answered_message, chat.telegram_id, words, now=chat.now)
    return ""


def _of_chat(chat: Chat) -> QuerySet[Message]:
    return Message.objects.filter(clinic=chat.clinic, patient__in=chat.patients)


def _may_come_again(message: Message, before: Reply | None, now: dt.datetime) -> bool:
    if before or message.version is None or message.version.schedule.state == State.CANCELLED:
        return False
    return message.sent_at is None or now - message.sent_at < AGAIN_WITHIN


def _plan_again(message: Message, patient: Patient, button: Button, now: dt.datetime) -> str:
    """Plan the Message again if the button says so. Return the words that replace the buttons."""
    if button.again_after is None:
        return f"✓ {button.text}"
    again_at = now + button.again_after
    following.say_again(message, Follow.LATER, due_at=again_at, now=now)
    time = format_time(local(again_at, patient.timezone), "short", locale=locale_of(patient.language))
    return f"✓ {button.text} · {time}"
