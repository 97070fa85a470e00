"""Reads JSON that others wrote, as far as it can be read: one odd part never costs the parts beside it.

It knows JSON only; which parts an update has stands in incoming.py.
"""

import json
import re
from typing import Final

import msgspec

DEEPEST: Final = 64
"""Deeper nesting is cut off: Telegram nests far less, and a parser gives up somewhere."""
LARGEST: Final = 2**63 - 1
"""The largest number that a column of the database holds."""
_LONG_NUMBER: Final = 20
_STRING_OR_BRACKET: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_NAME: Final = re.compile(r"[a-z_]{1,64}")


def read_json(body: bytes) -> object:
    """The value; None where the body is no JSON at all."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Half a surrogate pair, an endless number, a depth without end: the rest can be read all the same.
        return _slowly(body.decode("utf-8", "replace"))


def _slowly(text: str) -> object:
    try:
        return json.loads(_shallow(text), parse_int=_number, strict=False)
    except (ValueError, RecursionError):
        return None


def _shallow(text: str) -> str:
    """The text with null for each list and object that lies deeper than DEEPEST."""
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
    """A JSON object, asked for one part at a time. A part of another type counts as absent.

    `aside` gathers the names (never the values) of the parts that were there and could not be read.
    """

    def __init__(self, raw: object, name: str = "", aside: list[str] | None = None) -> None:
        self._raw: Final[dict[str, object]] = raw if isinstance(raw, dict) else {}
        self._name: Final = name
        self.aside: Final[list[str]] = [] if aside is None else aside

    def has(self, name: str) -> bool:
        """Whether there is a part of this name, of whatever type."""
        return self._raw.get(name) is not None

    def names(self) -> list[str]:
        """The names of all parts, as far as they look like names."""
        return [name for name in self._raw if _NAME.fullmatch(name)]

    def text(self, name: str) -> str:
        """A text without what UTF-8 and the database can't hold; "" where there is none."""
        value = self._raw.get(name)
        if isinstance(value, str):
            # JSON can carry half of a surrogate pair.
            return value.encode("utf-8", "replace").decode().replace("\0", "")
        self._leave(name, value)
        return ""

    def whole(self, name: str) -> int | None:
        """A whole number that the database can hold."""
        value = self._raw.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
            return value
        self._leave(name, value)
        return None

    def real(self, name: str) -> float | None:
        """A number."""
        value = self._raw.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
            return float(value)
        self._leave(name, value)
        return None

    def is_true(self, name: str) -> bool:
        """Whether it is there and true."""
        value = self._raw.get(name)
        if not isinstance(value, bool):
            self._leave(name, value)
        return value is True

    def part(self, name: str) -> "Part":
        """An object; one without parts where there is none."""
        value = self._raw.get(name)
        if not isinstance(value, dict):
            self._leave(name, value)
        return Part(value, self._path(name), self.aside)

    def parts(self, name: str) -> list["Part"]:
        """The objects of a list."""
        value = self._raw.get(name)
        if not isinstance(value, list):
            self._leave(name, value)
            return []
        return [Part(one, self._path(name), self.aside) for one in value if isinstance(one, dict)]

    def lists(self, name: str) -> list["Part"]:
        """The objects of a list of lists."""
        value = self._raw.get(name)
        rows = value if isinstance(value, list) else []
        if rows is not value:
            self._leave(name, value)
        return [Part(one, self._path(name), self.aside) for row in rows if isinstance(row, list) for one in row]

    def raw(self, name: str) -> object:
        """Whatever there is, for a part that is made of several types."""
        return self._raw.get(name)

    def _path(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name else name

    def _leave(self, name: str, value: object) -> None:
        if value is not None:
            self.aside.append(self._path(name))
