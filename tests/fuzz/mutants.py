"""Mutants of a file: parts put in, taken out, repeated and exchanged; in JSON also values of another type.

A script, which is any bytes, says what is done. The same script makes the same mutant, and a shorter script
changes less.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

COMMON: Final = (
    *("\0", "\r\n", "\r", "\u2028", "\ufeff", "\u202e", "😀", "I\u0307", "٣", "²", "é", "\u0301"),
    *(
        "{{",
        "1e999",
        "-0",
        "9" * 25,
        "9" * 4400,
        "%00",
        "%ff",
        "\\",
        '"',
        "'",
        ",",
        ";",
        ":",
        "=",
        " ",
        "\t",
        "/",
        "..",
        "-",
    ),
    *("2026-12-25", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-02-30", "24:00"),
)
"""Characters and numbers that readers stumble over."""
_BYTES: Final = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xff\xfe")
_VALUES: Final = (
    *("null", "true", "false", "0", "-1", "1.5", "2147483648", "9007199254740993", "9223372036854775808"),
    *("1e308", "Infinity", "NaN", '""', '" "', '"\\u0000"', '"\\ud800"', f'"{"9" * 5000}"', f'"{"x" * 3000}"'),
    *("[]", "{}", "[[]]", "[null]", '{"": 0}', "9" * 30),
)
_EDIT: Final = 4
"""The bytes of a script for each edit of bytes."""


def pieces_of(own: Sequence[str]) -> list[bytes]:
    """All pieces that may be put in: the pieces of the reader, each twice as likely, and the common pieces."""
    return [*(piece.encode("utf-8", "surrogatepass") for piece in (*own, *own, *COMMON)), *_BYTES]


def mutant(seed: bytes, script: bytes, pieces: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """The mutant of the seed. `others` are the files whose parts may be taken over."""
    if script and script[0] % 4 and seed[:1] in (b"{", b"["):
        return _retyped(seed, script[1:], pieces, others)
    return _torn(seed, script[1:], pieces, others)


def _torn(seed: bytes, script: bytes, pieces: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    text = bytearray(seed)
    for start in range(0, len(script) - _EDIT + 1, _EDIT):
        act, high, low, which = script[start : start + _EDIT]
        at = (high * 256 + low) % (len(text) + 1)
        match act % 8:
            case 0 | 1:
                text[at:at] = pieces[which % len(pieces)]
            case 2:
                piece = pieces[which % len(pieces)]
                text[at : at + len(piece)] = piece
            case 3:
                del text[at : at + which % 16 + 1]
            case 4:
                text[at : at + 1] = bytes([which])
            case 5:
                text[at:at] = text[at : at + which]
            case 6:
                text[at:at] = chr((high * 65_536 + low * 256 + which) % 0x110000).encode("utf-8", "surrogatepass")
            case _:
                other = others[which % len(others)]
                text[at:] = other[at % (len(other) + 1) :]
    return bytes(text)


def _retyped(seed: bytes, script: bytes, pieces: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    try:
        whole = [json.loads(seed)]
    except (ValueError, RecursionError):
        return _torn(seed, script, pieces, others)
    steps = iter(script)
    for act in steps:
        held, key = _place(whole, steps)
        which = next(steps, 0)
        match act % 8:
            case 0 | 1:
                held[key] = json.loads(_VALUES[which % len(_VALUES)])
            case 2 | 3:
                held[key] = pieces[which % len(pieces)].decode("utf-8", "surrogateescape")
            case 4 if held is not whole:
                del held[key]
            case 5:
                held[key] = [held[key]] * (which % 4)
            case 6 if isinstance(held, dict):
                held[pieces[which % len(pieces)].decode("utf-8", "surrogateescape")] = held[key]
            case _:
                held[key] = _part_of(others[which % len(others)], steps)
    return json.dumps(whole[0]).encode()


def _place(whole: Any, steps: Iterator[int]) -> tuple[Any, Any]:
    """A list or an object somewhere in the JSON, and an index or a name in it."""
    held, key = whole, 0
    while next(steps, 0) % 4 and held[key] and isinstance(held[key], (dict, list)):
        held = held[key]
        place = next(steps, 0) % len(held)
        key = list(held)[place] if isinstance(held, dict) else place
    return held, key


def _part_of(other: bytes, steps: Iterator[int]) -> Any:
    try:
        held, key = _place([json.loads(other)], steps)
    except (ValueError, RecursionError):
        return other.decode("utf-8", "surrogateescape")
    return held[key]
