"""The payload of a Message: the text and the buttons that leave, made of its facts."""

import datetime as dt
import uuid
from functools import lru_cache

from companion.clinics.sealed import unseal
from companion.delivery.facts import Facts, Keyboard
from companion.schedules import buttons, text
from companion.schedules.buttons import Button
from companion.schedules.models import Version


def text_of(facts: Facts, at: dt.datetime) -> str | None:
    """The text as it leaves at this instant; None where there is none, or it is longer than Telegram takes."""
    if facts.own_text is not None:
        template = unseal(bytes.fromhex(facts.own_text), "schedules.Message.text")
    elif facts.version is not None:
        template = _wording(facts.version)[0]
    else:
        return None
    filled = text.fill(
        template,
        patient_name=facts.patient_name,
        clinic_name=facts.clinic_name,
        language=facts.language,
        at=at,
        timezone=facts.timezone,
        caregiver=bool(facts.caregiver),
    )
    return None if text.too_long(filled) else filled


def keyboard_of(facts: Facts) -> Keyboard | None:
    """The buttons under it: its own, or else its version's answers; None for none."""
    if facts.buttons is not None or facts.version is None:
        return facts.buttons
    answers = _wording(facts.version)[1]
    return buttons.keyboard(facts.message, answers) if answers else None


@lru_cache(maxsize=512)
def _wording(version: uuid.UUID) -> tuple[str, tuple[Button, ...]]:
    """A version's text and answer buttons."""
    # A version is never changed once it is written, so it may be kept.
    template, kept = Version.objects.values_list("text", "buttons").get(pk=version)
    return template, buttons.read(kept)
