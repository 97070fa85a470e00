"""Answers with files from strangers, such that no browser executes any part of them. It uses no table.

A browser may ask for a part of a file (RFC 9110, section 14), as some players do before they play it.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

Read = Callable[[int, int], Iterator[bytes]]

_SHOWN: Final = ("image/", "audio/", "video/")
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
# Characters that could hide a file's true ending or name another folder: controls, separators, direction marks.
_NOT_IN_A_NAME: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def file_answer(read: Read, length: int, mime: str, name: str, *, range_header: str = "") -> HttpResponseBase:
    """Build the answer for a file of `length` bytes. `mime` is the type that its bytes show."""
    part = _part(range_header, length)
    if part is None:
        answer: HttpResponseBase = HttpResponse(status=416)
        answer["Content-Range"] = f"bytes */{length}"
        return answer
    begin, end = part
    answer = StreamingHttpResponse(read(begin, end), status=200 if end - begin == length else 206, content_type=mime)
    answer["Content-Length"] = str(end - begin)
    answer["Accept-Ranges"] = "bytes"
    if answer.status_code == 206:
        answer["Content-Range"] = f"bytes {begin}-{end - 1}/{length}"
    disposition = content_disposition_header(as_attachment=not mime.startswith(_SHOWN), filename=name)
    answer["Content-Disposition"] = disposition or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def file_name(given: str, otherwise: str, suffix: str) -> str:
    """Return a file name for saving, with the suffix of the file's true type."""
    name = _NOT_IN_A_NAME.sub("", given).strip(" .")[-100:] or otherwise
    return name if name.lower().endswith(suffix) else f"{name}{suffix}"


class _Part(NamedTuple):
    """A part of a file, from `begin` up to but without `end`."""

    begin: int
    end: int


def _part(header: str, length: int) -> _Part | None:
    """Return the requested part; the whole file if the header can't be read, None if the part is outside the file."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return _Part(0, length)
    if not match[1]:
        # A suffix range: the last bytes of the file.
        return _Part(max(length - int(match[2]), 0), length) if int(match[2]) and length else None
    begin = int(match[1])
    end = min(int(match[2]) + 1, length) if match[2] else length
    if match[2] and int(match[2]) < begin:
        return _Part(0, length)
    return _Part(begin, end) if begin < length else None
