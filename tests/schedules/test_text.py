"""A text as it is typed, and as the patient reads it."""

import pytest

from companion.schedules.text import Reader, fill, problems_of, too_long
from tests.builders import NOW


def filled(template: str, *, name: str = "Ana Silva", language: str = "en", caregiver: bool = False) -> str:
    return fill(template, Reader(name, "Linden Clinic", language, "America/Sao_Paulo", caregiver), NOW)


@pytest.mark.parametrize(
    ("template", "read"),
    [
        ("Dear {first_name}", "Dear Ana"),
        ("Dear {name}", "Dear Ana Silva"),
        ("From {clinic}", "From Linden Clinic"),
        ("On {date} at {time}", "On December 1, 2026 at 5:00\u202fAM"),
        ("{{name} is a brace", "{name} is a brace"),
        ("1 < 2 & *bold* }", "1 < 2 & *bold* }"),
    ],
)
def test_placeholders_are_filled_and_all_else_is_read_as_typed(template: str, read: str) -> None:
    assert filled(template) == read


def test_dates_are_in_the_patients_language() -> None:
    assert filled("{date}", language="de") == "1. Dezember 2026"


def test_a_message_to_a_caregivers_phone_says_whom_it_is_for() -> None:
    assert filled("Take your tablet.", caregiver=True) == "For Ana: Take your tablet."


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("Dear {nme}", "Line 1, character 6: {nme}"),
        ("Hello\nDear {Name}", "Line 2, character 6: {Name}"),
        ("a { b", "Line 1, character 3"),
        ("bell \a", "U+0007"),
        ("half \ud83d", "U+D83D"),
        ("   ", "Write the text that the patient gets."),
    ],
)
def test_a_text_that_can_not_be_sent_is_refused_with_the_place_of_the_error(template: str, place: str) -> None:
    assert place in problems_of(template)[0]


def test_newlines_and_tabs_are_welcome() -> None:
    assert problems_of("One\n\tTwo") == []


def test_a_text_is_measured_as_telegram_measures_it() -> None:
    assert too_long("😀" * 2048) is None
    assert too_long("😀" * 2049) == "The text is 2 characters too long once filled in: Telegram takes 4096."
