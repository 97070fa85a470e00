"""Judge whether a filled-in text fits into one message for each of its recipients, as far as they are known.

A bound is looked at first, so that only a text near Telegram's limit is filled in for all of them.
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
"""Characters that are kept free for the words before a text that is sent again for want of an answer."""


def with_room(template: str, *, reminds: bool) -> str:
    """The template, as long as it gets where a reminder of an answer puts its words before it."""
    return "." * ROOM_TO_REMIND + template if reminds else template


def too_long(
    clinic: Clinic, template: str, people: QuerySet[Patient], at: Callable[[str], dt.datetime] | None
) -> str | None:
    """The sentence where the text is too long for one of these people, else None.

    `at` gives the instant of sending for a patient's zone; None where the text goes out at many.
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
    """Judge like too_long for an empty cohort, with the shortest words for every placeholder."""
    nobody = Reader("", clinic.name, clinic.language, "UTC")
    filled = texts.fill(template, nobody, dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
    return texts.too_long(filled)
