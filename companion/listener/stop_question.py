"""Asks a chat whether its words were meant as a STOP, by two buttons, and takes the answer.

The buttons work however late they are tapped: to stop is the patient's own word at any time. To go on changes nothing,
and so never undoes a STOP.
"""

from dataclasses import replace
from enum import StrEnum

from companion.listener import asking, replies
from companion.listener.asking import Chat
from companion.listener.updates import Tapped
from companion.listener.words import Word, say
from companion.patients.models import Consent


class Meant(StrEnum):
    """The data of the two buttons."""

    STOP = "meant:stop"
    GO_ON = "meant:go-on"


_ON_THE_BUTTON = {Meant.STOP: Word.STOP_BUTTON, Meant.GO_ON: Word.GO_ON_BUTTON}


def ask(chat: Chat) -> None:
    """Asks, unless everybody in the chat has opted out already."""
    reached = [patient for patient in chat.patients if patient.consent != Consent.WITHDRAWN]
    if chat.opted_out or (chat.patients and not reached):
        return
    patient = reached[0] if reached else None
    language = patient.language if patient else chat.languages[0]
    buttons = [[{"text": say(word, language), "callback_data": meant.value}] for meant, word in _ON_THE_BUTTON.items()]
    asking.send(chat, patient, say(Word.STOP_MEANT, language), buttons=buttons)


def read_tap(data: str) -> Meant | None:
    """Which of the two buttons was tapped; None where it is another one."""
    return Meant(data) if data in list(Meant) else None


def answered(chat: Chat, meant: Meant, tap: Tapped, update_id: int) -> str:
    """Takes the answer, and keeps it for staff; what to show over the chat. The same tap twice is one."""
    label = say(_ON_THE_BUTTON[meant], chat.languages[0])
    if not replies.tapped_last(chat, tap.message_id, label):
        replies.keep_tap(chat, replace(tap, label=label), update_id)
    if meant is Meant.GO_ON:
        return "" if chat.silent else say(Word.GOES_ON, chat.languages[0])
    if not chat.opted_out:
        asking.stopped(chat, "patient: STOP button")
    return ""
