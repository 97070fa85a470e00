"""The words that a password must not consist of: the product's, the clinic's, its bot's, and the person's own.

An attacker who knows where a person works tries these words first, with digits and signs around them.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

from companion.clinics.models import Clinic

OF_THE_PRODUCT: Final = (
    "companion",
    "scheduler",
    "telegram",
    "message",
    "patient",
    "provider",
    "clinic",
    "hospital",
    "practice",
    "doctor",
    "nurse",
    "health",
    "admin",
    "viewer",
    "login",
    "welcome",
    "password",
    "passwort",
    "secret",
)
_SHORTEST: Final = 4
"""Shorter words occur by chance in many good passwords."""
_ENOUGH_LETTERS: Final = 6
"""The letters that a password needs besides such words."""
_READ_AS: Final = ("0134579@$!", ("oieastgasi", "oleastgasl"))
"""Digits and signs that people write for letters, and the letters, in two ways of reading them."""
_TOO_NEAR: Final = (
    "This password is little more than words that others try first: the names of your clinic and of its bot, your own "
    "name, or words of this product. Use other words, four of them for example."
)


class ContextWordsValidator:
    """Refuse a password that has hardly a letter besides such words. One of Django's password validators."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError for such a password."""
        if is_decorated(password, [*OF_THE_PRODUCT, *_words_of(user)]):
            raise ValidationError(_TOO_NEAR, code="password_of_context_words")

    def get_help_text(self) -> str:
        """Tell people the rule."""
        return "Your password can't consist of words of your clinic, of its bot, of your name or of this product."


def is_decorated(password: str, words: Iterable[str]) -> bool:
    """Return whether the password contains such a word and has hardly another letter."""
    digits, readings = _READ_AS
    plain = "".join(_plain(letter) for letter in password if letter.isalnum() or letter in digits)
    known = sorted({word for raw in words for word in _parts(raw)}, key=len, reverse=True)
    for letters in readings:
        read = plain.translate(str.maketrans(digits, letters))
        left = list(plain)
        for word in known:
            for found in re.finditer(re.escape(word), read):
                left[found.start() : found.end()] = " " * len(word)
        if " " in left and sum(letter.isalpha() for letter in left) < _ENOUGH_LETTERS:
            return True
    return False


def _parts(raw: str) -> Iterator[str]:
    """The words of a name, and the name as one word, in the form in which a password is compared."""
    words = ["".join(map(_plain, word)) for word in re.findall(r"[^\W_]+", raw)]
    yield from (word for word in (*words, "".join(words)) if len(word) >= _SHORTEST)


def _plain(letter: str) -> str:
    """The letter without case and accent, as one letter."""
    return unicodedata.normalize("NFKD", letter)[0].lower()[:1]


def _words_of(user: AbstractBaseUser | None) -> Iterator[str]:
    """The names of the person, of the person's clinics and of their bots."""
    if user is None or user.pk is None:
        return
    yield from (str(getattr(user, name)) for name in ("first_name", "last_name", "email"))
    clinics = Clinic.objects.filter(members__user=user.pk)
    for names in clinics.values_list("name", "slug", "bot__username"):
        yield from (name for name in names if name)
