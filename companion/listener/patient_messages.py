"""Handle what a patient writes: opt out after a STOP, note an answer, show the words to staff, name the number."""

import datetime as dt

from companion.delivery import following
from companion.listener import inbox, replies, start_and_stop, stop_question
from companion.listener.chat import Chat
from companion.listener.models import Reply, ReplyKind
from companion.listener.open_question import awaited_by, question_open
from companion.listener.stopping import Verdict, verdict
from companion.listener.updates import Wrote
from companion.listener.urgent import asks_for_help


def wrote(chat: Chat, incoming: Wrote, update_id: int) -> None:
    """Handle a text, or content without text."""
    judged = _judge(chat, incoming, incoming.at)
    reply = replies.keep_text(chat, incoming, update_id)
    _stop_or_ask(chat, judged, "patient: STOP")
    if judged is Verdict.STOP and incoming.is_text:
        return
    # Only a text counts as an answer: nobody can know whether a photo or a sticker is meant as an answer.
    if reply.kind == ReplyKind.TEXT and (question := awaited_by(chat, reply)):
        following.answered(question, now=chat.now)
        inbox.answered(question, now=chat.now)
    _to_staff(chat, reply, incoming.words)


def corrected(chat: Chat, incoming: Wrote, update_id: int) -> None:
    """Handle an edited message: staff reads both wordings. An edit answers no question and undoes no STOP.

    If the first wording never came in, the edited message is handled as a new message.
    """
    first = replies.first_wording(chat, incoming)
    if first is None:
        return wrote(chat, incoming, update_id)
    if replies.says_already(first, incoming) or replies.moved(first, incoming, update_id, now=chat.now):
        return None
    judged = _judge(chat, incoming, first.at)
    reply = replies.keep_correction(first, incoming, update_id, now=chat.now)
    _stop_or_ask(chat, judged, "patient: STOP, by editing a message")
    return _to_staff(chat, reply, incoming.words)


def _judge(chat: Chat, incoming: Wrote, written_at: dt.datetime) -> Verdict:
    """Judge whether the words are a STOP. The open question is looked for only if the verdict depends on it."""
    languages = {*chat.languages, chat.client_language}
    judged = verdict(incoming.words, languages, question_open=True)
    if judged is Verdict.ASK and not question_open(chat, written_at):
        return verdict(incoming.words, languages, question_open=False)
    return judged


def _stop_or_ask(chat: Chat, judged: Verdict, source: str) -> None:
    if judged in (Verdict.STOP, Verdict.STOP_AND_STAFF):
        start_and_stop.stopped(chat, source)
    elif judged is Verdict.ASK:
        stop_question.ask(chat)


def _to_staff(chat: Chat, reply: Reply, words: str) -> None:
    """Show the Reply to staff; if its `words` ask for urgent help, send the number to call."""
    clinic = chat.clinic
    urgent = bool(clinic.urgent_phone) and asks_for_help(words, clinic.urgent_words)
    if inbox.show_to_staff(reply, urgent=urgent, now=chat.now):
        start_and_stop.call_instead(chat, reply.patient)
