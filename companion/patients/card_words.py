"""The words of a printed invitation, in the patient's language. To add a language, add an entry to WORDS."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from babel.dates import format_date

from companion.patients.languages import fallbacks, locale_of, nearest


@dataclass(frozen=True, slots=True)
class CardWords:
    """The words of one language. `how` tells the patient what to do and contains {clinic}; the others stand before
    a date.
    """

    how: str
    born: str
    until: str


WORDS: Final[Mapping[str, CardWords]] = {
    "en": CardWords(
        "Scan this with your phone's camera and press Start in Telegram: "
        "{clinic} then asks whether it may write to you.",
        "Born {date}",
        "Valid once, until {date}",
    ),
    "de": CardWords(
        "Scannen Sie dies mit der Kamera Ihres Telefons und drücken Sie in Telegram auf Start: "
        "{clinic} fragt dann, ob wir Ihnen schreiben dürfen.",
        "Geboren am {date}",
        "Einmal gültig, bis {date}",
    ),
    "es": CardWords(
        "Escanee esto con la cámara de su teléfono y pulse Iniciar en Telegram: "
        "{clinic} le preguntará si puede escribirle.",
        "Fecha de nacimiento: {date}",
        "Válido una vez, hasta el {date}",
    ),
    "pt": CardWords(
        "Aponte a câmera do seu telefone para este código e toque em Iniciar no Telegram: "
        "{clinic} perguntará se pode escrever para você.",
        "Data de nascimento: {date}",
        "Válido uma vez, até {date}",
    ),
}


def card_words(language: str, *, clinic: str, born: dt.date | None, until: dt.date) -> CardWords:
    """The words, filled in; `born` is empty if no birth date is known."""
    tag = nearest(language, WORDS)
    # If only the English words exist, the date is in English too.
    words, locale = WORDS[tag], locale_of(language if tag in fallbacks(language)[:-1] else tag)
    return CardWords(
        how=words.how.format(clinic=clinic),
        born=words.born.format(date=format_date(born, "long", locale)) if born else "",
        until=words.until.format(date=format_date(until, "long", locale)),
    )
