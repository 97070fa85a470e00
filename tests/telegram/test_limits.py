"""Telegram's limits for texts, and the check of a typed Telegram ID."""

import pytest

from companion.telegram.limits import TELEGRAM_ID_MAX, is_start_payload, telegram_id_problem, utf16_units


@pytest.mark.parametrize(("text", "units"), [("", 0), ("abc", 3), ("äß", 2), ("€", 1), ("😀", 2), ("👨‍👩‍👧", 8)])
def test_a_text_is_counted_in_utf16_units(text: str, units: int) -> None:
    assert utf16_units(text) == units == len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("value", [1, 123456789, "7234567890", " 123 ", TELEGRAM_ID_MAX, str(TELEGRAM_ID_MAX)])
def test_an_id_that_can_be_right_has_no_problem(value: int | str) -> None:
    assert telegram_id_problem(value) is None


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("@ana_silva", "@username"),
        ("https://t.me/ana_silva", "@username"),
        ("t.me/ana", "@username"),
        ("+49 171 2345678", "phone number"),
        ("0171 2345678", "phone number"),
        ("01712345678", "phone number"),
        ("0049171234567", "phone number"),
        ("(555) 123-4567", "phone number"),
        ("555-123-4567", "phone number"),
        ("-1001234567890", "group"),
        (-5, "group"),
        (0, "0 is not"),
        ("000", "0 is not"),
        (2**52, "too large"),
        (str(2**63), "too large"),
        pytest.param("9" * 5000, "too large", id="5000 digits"),
        pytest.param(10**5000, "too large", id="more digits than str() prints"),
        (f"7000000001:{'A' * 35}", "bot's token"),
        ("1.23E+09", "spreadsheet"),
        ("1,23e9", "spreadsheet"),
        ("", "is a number"),
        ("Ana", "digits"),
        ("12a4", "digits"),
        ("1_000", "digits"),
        ("٣٤٥", "digits"),
        ("\N{NULL}", "digits"),
    ],
)
def test_each_kind_of_wrong_id_has_its_own_sentence(value: int | str, part: str) -> None:
    problem = telegram_id_problem(value)

    assert problem is not None
    assert part in problem


@pytest.mark.parametrize(
    ("payload", "carried"),
    [("a", True), ("A-z_9", True), ("a" * 64, True), ("a" * 65, False), ("", False), ("ä", False)],
)
def test_a_start_link_carries_only_what_telegram_passes_on(payload: str, carried: bool) -> None:
    assert is_start_payload(payload) is carried
