"""Read a CSV row by row, each with its line number. A broken row doesn't affect the rows after it.

This file reads delimiters, quotes and lines; importing.py reads patients, and csv_bytes.py reads encodings.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from companion.patients.csv_bytes import PlainBytes

LINE_BYTES: Final = 64 * 1024
"""The longest line of a plausible row. A longer line means that the file's line ends are wrong."""
LINES_OF_A_ROW: Final = 200
"""The most lines of a quoted cell. If the cell is still open after that, its quote was never closed."""

_DELIMITERS: Final = (",", ";", "\t")
_SEP: Final = re.compile(r'"?sep=([^\w\s"]|\t)"?\1*', re.IGNORECASE)
"""A first line by which Excel names the delimiter. When Excel saves such a file, it adds empty cells to the line."""


class NotReadable(Exception):
    """The file as a whole can't be read; the message is for people."""


@dataclass(frozen=True, slots=True)
class Header:
    """The columns' names as the file writes them, and the delimiter."""

    columns: tuple[str, ...]
    delimiter: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells by column; `line` is the row's first line in the file."""

    line: int
    cells: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that can't be parsed, and the reason for people."""

    line: int
    reason: str


class _Broken(Exception):
    """The reason why the current row can't be read."""


class Lines:
    """The lines of a file opened for reading bytes, with the number of the next line. Lines can be given back."""

    def __init__(self, file: BinaryIO) -> None:
        self._source: Final = PlainBytes(file)
        self._file: Final = io.BufferedReader(self._source)
        self._back: Final[deque[bytes]] = deque()
        self.number = 1

    @property
    def bytes_read(self) -> int:
        """The number of bytes read from the file."""
        return self._source.bytes_read

    def next(self) -> bytes:
        """The next line with its line end; b"" after the last line. A line over LINE_BYTES is cut and its rest
        dropped.
        """
        line = self._back.popleft() if self._back else self._read()
        if line:
            self.number += 1
        return line

    def give_back(self, lines: Sequence[bytes]) -> None:
        """Give back the last lines taken, so that they come again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> bytes:
        line = self._file.readline(LINE_BYTES)
        rest = line
        while len(rest) == LINE_BYTES and not rest.endswith(b"\n"):
            rest = self._file.readline(LINE_BYTES)
        return line


def read_header(lines: Lines, is_known: Callable[[str], bool]) -> Header:
    """Read the header from the first line, or from the line after Excel's `sep=;`. Raises NotReadable if it can't be
    a header.

    Chooses the delimiter that gives the most known column names, and among equals the most cells.
    """
    start = lines.next()
    named = _SEP.fullmatch(start.decode(errors="replace").rstrip("\r\n"))
    if not named:
        lines.give_back([start])
    tried = {delimiter: _names(lines, delimiter) for delimiter in (named[1] if named else _DELIMITERS)}
    delimiter = max(tried, key=lambda char: (sum(map(is_known, tried[char])), max(len(tried[char]), 1)))
    try:
        names = tuple(cell.strip() for cell in _cells(lines, delimiter))
    except _Broken as broken:
        raise NotReadable(f"The first line names the columns, but it can't be read: {broken}") from None
    if not any(names):
        raise NotReadable("The file has no first line that names the columns.")
    return Header(names, delimiter)


def _names(lines: Lines, delimiter: str) -> list[str]:
    """The next row's cells by this delimiter; none if they can't be read. The row is given back."""
    taken: list[bytes] = []
    try:
        return _cells(lines, delimiter, taken)
    except _Broken:
        # _cells has given back all lines but the first.
        del taken[1:]
        return []
    finally:
        lines.give_back(taken)


def read_rows(lines: Lines, columns: Sequence[str], delimiter: str) -> Iterator[Row | BrokenRow]:
    """Yield all rows after the header, without empty rows. `columns` names the cells in order."""
    while True:
        line = lines.number
        try:
            cells = _cells(lines, delimiter)
        except _Broken as broken:
            yield BrokenRow(line, str(broken))
            continue
        if cells is _END:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(columns) :]):
            yield BrokenRow(line, f"This row has {len(cells)} cells, the first line has {len(columns)}.")
        else:
            yield Row(line, dict(zip(columns, cells, strict=False)))


_END: Final[list[str]] = []


def _cells(lines: Lines, delimiter: str, taken: list[bytes] | None = None) -> list[str]:
    """The next row's cells; _END after the last row. Raises _Broken after using up the first line only.

    Appends the lines that were read to `taken`.
    """
    taken = [] if taken is None else taken

    def texts() -> Iterator[str]:
        while len(taken) < LINES_OF_A_ROW:
            line = lines.next()
            if not line:
                return
            taken.append(line)
            yield line.decode(errors="surrogateescape")

    try:
        cells = next(csv.reader(texts(), delimiter=delimiter, strict=True), _END)
    except csv.Error:
        lines.give_back(taken[1:])
        raise _Broken(_why_not_csv(taken)) from None
    if any(len(line) >= LINE_BYTES for line in taken):
        raise _Broken("This line is far too long to be one patient.")
    if any("\udc80" <= char <= "\udcff" for cell in cells for char in cell):
        raise _Broken("This row is not UTF-8. Save the file as “CSV UTF-8”, then import it again.")
    return cells


def _why_not_csv(taken: Sequence[bytes]) -> str:
    if len(taken) == 1 and b"\r" in taken[0][:-2]:
        return "This line holds a carriage return. Save the file as CSV again."
    return "The quotation marks of this row don't match: one is missing, or stands inside a cell without being doubled."
