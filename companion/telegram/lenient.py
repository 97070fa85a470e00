"""Read JSON that others wrote, as far as possible: a malformed part never costs the parts beside it.

This module knows JSON only. The parts of an update are in incoming.py.
"""

import json
import re
from typing import Final

import msgspec

DEEPEST: Final = 64
"""The deepest nesting that is read. Telegram nests far less, and every parser has some limit."""
LARGEST: Final = 2**63 - 1
"""The largest number that fits into a column of the database."""
_LONG_NUMBER: Final = 20
_STRING_OR_BRACKET: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_NAME: Final = re.compile(r"[a-z_]{1,64}")


def read_json(body: bytes) -> object:
    """Return the value; None if the body is no JSON at all."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Half a surrogate pair, a very long number, very deep nesting, a byte order mark: the rest can still be read.
        return _slowly(body.decode("utf-8-sig", "replace"))


def _slowly(text: str) -> object:
    try:
        return json.loads(_shallow(text), parse_int=_number, strict=False)
    except (ValueError, RecursionError):
        return None


def _shallow(text: str) -> str:
    """Replace each list and object that lies deeper than DEEPEST with null."""
    kept: list[str] = []
    depth, done = 0, 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in ("[", "{"):
            depth += 1
            if depth == DEEPEST + 1:
                kept += [text[done : token.start()], "null"]
        elif token[0] in ("]", "}"):
            if depth == DEEPEST + 1:
                done = token.end()
            depth -= 1
    return "".join([*kept, text[done:]])


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONG_NUMBER else float(digits)


class Part:
    """A JSON object that is read part by part. A part of the wrong type counts as absent.

    `skipped` collects the names, never the values, of parts that could not be read.
    """

    def __init__(self, raw: object, name: str = "", skipped: list[str] | None = None) -> None:
        self._raw: Final[dict[str, object]] = raw if isinstance(raw, dict) else {}
        self._name: Final = name
        self.skipped: Final[list[str]] = [] if skipped is None else skipped

    def has(self, name: str) -> bool:
        """Return whether there is a part of this name, of any type."""
        return self._raw.get(name) is not None

    def names(self) -> list[str]:
        """Return the names of all parts that look like names."""
        return [name for name in self._raw if _NAME.fullmatch(name)]

    def text(self, name: str) -> str:
        """Read a text, without characters that UTF-8 or the database can't hold; "" if there is none."""
        value = self._raw.get(name)
        if isinstance(value, str):
            # JSON can carry half of a surrogate pair.
            return value.encode("utf-8", "replace").decode().replace("\0", "")
        self._leave(name, value)
        return ""

    def whole(self, name: str) -> int | None:
        """Read a whole number that fits into the database; None if there is none."""
        value = self._raw.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
            return value
        self._leave(name, value)
        return None

    def real(self, name: str) -> float | None:
        """Read a number; None if there is none."""
        value = self._raw.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
            return float(value)
        self._leave(name, value)
        return None

    def is_true(self, name: str) -> bool:
        """Return whether the part is there and true."""
        value = self._raw.get(name)
        if not isinstance(value, bool):
            self._leave(name, value)
        return value is True

    def part(self, name: str) -> "Part":
        """Read an object; an empty Part if there is none."""
        value = self._raw.get(name)
        if not isinstance(value, dict):
            self._leave(name, value)
        return Part(value, self._path(name), self.skipped)

    def parts(self, name: str) -> list["Part"]:
        """Read the objects of a list."""
        value = self._raw.get(name)
        if not isinstance(value, list):
            self._leave(name, value)
            return []
        return [Part(item, self._path(name), self.skipped) for item in value if isinstance(item, dict)]

    def lists(self, name: str) -> list["Part"]:
        """Read the objects of a list of lists."""
        value = self._raw.get(name)
        rows = value if isinstance(value, list) else []
        if rows is not value:
            self._leave(name, value)
        return [Part(item, self._path(name), self.skipped) for row in rows if isinstance(row, list) for item in row]

    def raw(self, name: str) -> object:
        """Return the value as it is, for a part that may have several types."""
        return self._raw.get(name)

    def _path(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name else name

    def _leave(self, name: str, value: object) -> None:
        if value is not None:
            self.skipped.append(self._path(name))
