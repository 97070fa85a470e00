"""Convert a CSV file's bytes, as spreadsheets write them, to UTF-8 with line feeds, chunk by chunk."""

import codecs
import io
import re
from typing import BinaryIO, Final

_CHUNK: Final = 64 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_UNREADABLE: Final = b"\xff"
"""A byte that no UTF-8 text contains, so that a row with it is refused."""
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class PlainBytes(io.RawIOBase):
    """A stream that drops the byte order mark, decodes UTF-16, and reads the lines of old Macs, which end with CR.

    If the first line ends in another way, a CR within a line stays: it is a mistake there, and not a line end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: Final = file
        self.bytes_read = 0
        start = self._read()
        self._utf16: Final = codecs.getincrementaldecoder("utf-16")("replace") if start.startswith(_UTF16) else None
        self._ready = self._as_utf8(start).removeprefix(_BOM)
        end = _LINE_END.search(self._ready)
        self._is_old_mac: Final = end is not None and end.group() == b"\r"
        self._ready = self._with_line_feeds(self._ready)

    def readable(self) -> bool:
        """Return whether the stream can be read: always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer can't be filled
        """Fill the buffer as far as possible and return the number of bytes; 0 at the end."""
        while not self._ready and (chunk := self._read()):
            self._ready = self._with_line_feeds(self._as_utf8(chunk))
        length = min(len(buffer), len(self._ready))
        buffer[:length], self._ready = self._ready[:length], self._ready[length:]
        return length

    def _read(self) -> bytes:
        chunk = self._file.read(_CHUNK)
        self.bytes_read += len(chunk)
        return chunk

    def _as_utf8(self, chunk: bytes) -> bytes:
        if self._utf16 is None:
            return chunk
        return self._utf16.decode(chunk).encode().replace("\ufffd".encode(), _UNREADABLE)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        return chunk.replace(b"\r", b"\n") if self._is_old_mac else chunk
