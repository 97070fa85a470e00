"""The clinic's words for urgent help, and the number given to a patient who writes one of them."""

import datetime as dt
import re
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Problem, Refused

MOST_WORDS: Final = 100
LONGEST_WORD: Final = 60
_AUDITED: Final = ("urgent_words", "urgent_phone")
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()/.-]{1,38}")


def change(caller: Caller, words: object, phone: object, *, now: dt.datetime) -> Clinic:
    """Set the words to look for (none for an empty list) and the number to call.

    Raises Refused with every wrong field (words need a number, since patients are told to call it), and NotAllowed.
    """
    caller.needs(Role.ADMIN)
    problems: list[Problem] = []
    read, number = _words(words, problems), _phone(phone, problems)
    if read and not number and not problems:
        problems.append(
            Problem("phone", "Enter the number to call first: patients who ask for help are told to call it.")
        )
    if problems:
        raise Refused(*problems)
    with transaction.atomic():
        clinic = Clinic.objects.select_for_update().get(pk=caller.clinic.pk)
        was = audit.columns(clinic, _AUDITED)
        clinic.urgent_words, clinic.urgent_phone = read, number
        clinic.save(update_fields=_AUDITED)
        changes = audit.differences(was, audit.columns(clinic, _AUDITED))
        audit.record(caller, "words for urgent help changed", "clinic", clinic.id, now=now, changes=changes)
    return clinic


def _words(words: object, problems: list[Problem]) -> list[str]:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        problems.append(Problem("words", "Give a list of words."))
        return []
    read = list(dict.fromkeys(" ".join(word.split()) for word in words if word.strip()))
    if len(read) > MOST_WORDS:
        problems.append(Problem("words", f"At most {MOST_WORDS} words can be looked for."))
    for word in read:
        if len(word) > LONGEST_WORD or not word.isprintable() or not any(char.isalnum() for char in word):
            sentence = f"Write one or a few words with letters in each entry, at most {LONGEST_WORD} characters."
            problems.append(Problem("words", sentence))
            break
    return read


def _phone(phone: object, problems: list[Problem]) -> str:
    number = phone.strip() if isinstance(phone, str) else ""
    if phone is not None and not isinstance(phone, str):
        problems.append(Problem("phone", "Write the number to call as text, like +49 30 123456."))
    elif number and not _NUMBER.fullmatch(number):
        problems.append(Problem("phone", "Write a phone number of digits, like +49 30 123456 or 112."))
    return number
