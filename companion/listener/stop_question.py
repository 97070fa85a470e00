"""Ask a chat with two buttons whether its words were meant as a STOP, and handle the tap on them.

The buttons work at any time: a patient may always stop the messages. The button that keeps the messages changes
nothing, and so never undoes a STOP.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Final

from companion.listener import replies, start_and_stop
from companion.listener.chat import Chat
from companion.listener.updates import Tapped
from companion.listener.words import Word, say
from companion.patients.models import Consent


class Meant(StrEnum):
    """The two buttons, each with the data that its tap brings."""

    STOP = "meant:stop"
    GO_ON = "meant:go-on"


_ON_THE_BUTTON: Final = {Meant.STOP: Word.STOP_BUTTON, Meant.GO_ON: Word.GO_ON_BUTTON}


def ask(chat: Chat) -> None:
    """Ask, unless all patients of the chat have opted out already."""
    reached = [patient for patient in chat.patients if patient.consent != Consent.WITHDRAWN]
    if chat.opted_out or (chat.patients and not reached):
        return
    patient = reached[0] if reached else None
    language = patient.language if patient else chat.languages[0]
    buttons = [[{"text": say(word, language), "callback_data": meant.value}] for meant, word in _ON_THE_BUTTON.items()]
    start_and_stop.send(chat, patient, say(Word.STOP_MEANT, language), buttons=buttons)


def read_tap(data: str) -> Meant | None:
    """Return which of the two buttons was tapped; None for any other button."""
    return Meant(data) if data in list(Meant) else None


def answered(chat: Chat, meant: Meant, tap: Tapped, update_id: int) -> str:
    """Store the answer for staff, a repeated tap only once, and follow it. Return the text to show over the chat."""
    label = say(_ON_THE_BUTTON[meant], chat.languages[0])
    if not replies.tapped_last(chat, tap.message_id, label):
        replies.keep_tap(chat, replace(tap, label=label), update_id)
    if meant is Meant.GO_ON:
        return "" if chat.silent else say(Word.GOES_ON, chat.languages[0])
    if not chat.opted_out:
        start_and_stop.stopped(chat, "patient: STOP button")
    return ""
