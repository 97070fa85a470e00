"""Handle a patient's words: opt out after a STOP, note an answer, show them to staff, and name the number to call."""

import datetime as dt

from companion.delivery import following
from companion.listener import inbox, replies, start_and_stop, stop_question
from companion.listener.chat import Chat
from companion.listener.models import Reply, ReplyKind
from companion.listener.open_question import awaited_by, question_open
from companion.listener.stopping import Verdict, verdict
from companion.listener.updates import Wrote
from companion.listener.urgent import asks_for_help


def wrote(chat: Chat, said: Wrote, update_id: int) -> None:
    """Handle a text, or content without text."""
    taken = _taken(chat, said, said.at)
    reply = replies.keep_text(chat, said, update_id)
    _stop_or_ask(chat, taken, "patient: STOP")
    if taken is Verdict.STOP and said.is_text:
        return
    # Only a text answers a question: nobody can know whether a photo or a sticker is meant as an answer.
    if reply.kind == ReplyKind.TEXT and (question := awaited_by(chat, reply)):
        following.answered(question, now=chat.now)
        inbox.answered(question, now=chat.now)
    _to_staff(chat, reply, said.words)


def corrected(chat: Chat, said: Wrote, update_id: int) -> None:
    """Handle an edited message: staff reads both wordings. An edit answers no question and undoes no STOP.

    A correction of a message that never came in is handled as a new message.
    """
    first = replies.first_wording(chat, said)
    if first is None:
        return wrote(chat, said, update_id)
    if replies.says_already(first, said) or replies.moved(first, said, update_id, now=chat.now):
        return None
    taken = _taken(chat, said, first.at)
    reply = replies.keep_correction(first, said, update_id, now=chat.now)
    _stop_or_ask(chat, taken, "patient: STOP, by editing a message")
    return _to_staff(chat, reply, said.words)


def _taken(chat: Chat, said: Wrote, written_at: dt.datetime) -> Verdict:
    languages = {*chat.languages, chat.client_language}
    taken = verdict(said.words, languages, question_open=True)
    if taken is Verdict.ASK and not question_open(chat, written_at):
        return verdict(said.words, languages, question_open=False)
    return taken


def _stop_or_ask(chat: Chat, taken: Verdict, source: str) -> None:
    if taken in (Verdict.STOP, Verdict.STOP_AND_STAFF):
        start_and_stop.stopped(chat, source)
    elif taken is Verdict.ASK:
        stop_question.ask(chat)


def _to_staff(chat: Chat, reply: Reply, words: str) -> None:
    """Show the Reply to staff. `words` are the patient's own words in it."""
    clinic = chat.clinic
    urgent = bool(clinic.urgent_phone) and asks_for_help(words, clinic.urgent_words)
    if inbox.came(reply, urgent=urgent, now=chat.now):
        start_and_stop.call_instead(chat, reply.patient)
