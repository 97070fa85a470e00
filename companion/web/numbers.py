"""Numbers that people or addresses give as text."""


def whole_number(text: str, *, digits: int) -> int | None:
    """Read a number with at most this number of digits; return None for any other text.

    `int` alone would take signs, spaces and the digits of all scripts, and raises an error for thousands of digits.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
