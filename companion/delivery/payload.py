"""The payload of a Message: the text and the buttons that are sent, made from its facts."""

import datetime as dt
import uuid
from functools import lru_cache
from typing import Final, NamedTuple

from companion.clinics.sealed import unseal
from companion.delivery.facts import Facts, Keyboard
from companion.schedules import buttons, text
from companion.schedules.buttons import Button
from companion.schedules.models import Follow, Message, Version
from companion.schedules.text import Reader
from companion.telegram.discreet import Discreet
from companion.telegram.limits import TEXT_UNITS


class Payload(Discreet, frozen=True, gc=False):
    """The text of a Message as the patient gets it, and the buttons under it."""

    hidden = frozenset({"text", "buttons"})

    text: str
    buttons: Keyboard | None


def payload_of(facts: Facts, at: dt.datetime) -> Payload | None:
    """Return the payload for this instant; None if there is no text, or it is too long for Telegram."""
    template, answers = _wording(facts.version) if facts.version else _NO_WORDING
    if facts.own_text is not None:
        template = unseal(bytes.fromhex(facts.own_text), "schedules.Message.text")
    if not template:
        return None
    reader = Reader(facts.patient_name, facts.clinic_name, facts.language, facts.timezone, bool(facts.caregiver))
    filled = text.fill(template, reader, at)
    # Count exactly only if the text may be too long: a character takes at most two of Telegram's units.
    if 2 * len(filled) > TEXT_UNITS and text.too_long(filled):
        return None
    if facts.follow_kind == Follow.SHOWN and facts.buttons is None:
        return Payload(filled, buttons.answer_shown(facts.message, text.words_of(template)))
    return Payload(filled, _keyboard(facts.message, facts.buttons, answers))


def buttons_of(message: Message) -> Keyboard | None:
    """Return the buttons with which the Message is sent or was sent: they don't change after its begin."""
    if message.follow_kind == Follow.SHOWN and message.buttons is None:
        return buttons.answer_shown(message.id, text.words_of(message.text or ""))
    wording = _wording(message.version_id) if message.version_id else _NO_WORDING
    return _keyboard(message.id, message.buttons, wording.answers)


def _keyboard(message: uuid.UUID, given: Keyboard | None, answers: tuple[Button, ...]) -> Keyboard | None:
    """Return the Message's given buttons, or else the answer buttons of its version."""
    return buttons.keyboard(message, answers) if given is None and answers else given


class _Wording(NamedTuple):
    """A version's text and answer buttons."""

    template: str
    answers: tuple[Button, ...]


_NO_WORDING: Final = _Wording("", ())


@lru_cache(maxsize=512)
def _wording(version: uuid.UUID) -> _Wording:
    """Read a version's wording. It can be cached, because a version never changes."""
    template, stored = Version.objects.values_list("text", "buttons").get(pk=version)
    return _Wording(template, buttons.read(stored))
