"""The check whether a filled-in text fits into one message for each of its present recipients.

An upper bound is computed first. Only a text near Telegram's limit is filled in for all recipients.
"""

import datetime as dt
from collections.abc import Callable
from typing import Final

from django.db.models import Max, QuerySet
from django.db.models.functions import Length

from companion.clinics.models import Clinic
from companion.patients.models import Patient
from companion.schedules import text as texts
from companion.schedules.text import Reader
from companion.telegram.limits import TEXT_UNITS, utf16_units

ROOM_TO_REMIND: Final = 120
"""The characters kept free for the words before a text that is sent again because no answer came."""


def with_room(template: str, *, reminds: bool) -> str:
    """Lengthen the template by the words that a reminder puts before it, if the Schedule sends reminders."""
    return "." * ROOM_TO_REMIND + template if reminds else template


def too_long(
    clinic: Clinic, template: str, people: QuerySet[Patient], at: Callable[[str], dt.datetime] | None
) -> str | None:
    """Return a sentence if the text is too long for one of these people, else None.

    `at` gives the instant of sending for a patient's zone; None if the text is sent many times.
    """
    longest = people.order_by().aggregate(longest=Max(Length("name")))["longest"] or 0
    if texts.most_units(template, clinic_name=clinic.name, name_characters=longest) <= TEXT_UNITS:
        return None
    rows = people.order_by().values_list("name", "language", "timezone", "caregiver")
    filled = max(
        (
            texts.fill(
                template,
                Reader(name, clinic.name, language, zone if at else "UTC", bool(caregiver)),
                at(zone) if at else texts.longest_instant(language),
            )
            for name, language, zone, caregiver in rows.iterator(chunk_size=2000)
        ),
        key=utf16_units,
        default="",
    )
    return texts.too_long(filled) if filled else _to_nobody(clinic, template)


def _to_nobody(clinic: Clinic, template: str) -> str | None:
    """Check the text for an empty cohort, with the shortest value for every placeholder."""
    nobody = Reader("", clinic.name, clinic.language, "UTC")
    filled = texts.fill(template, nobody, dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    return texts.too_long(filled)
