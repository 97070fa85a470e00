"""Strict reading of a JSON body: no bytes whatever raise anything but "malformed"."""

import json
from typing import NoReturn, cast

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.parser import Parser


class StrictParser(Parser):
    """Ninja's parser, without Python's own additions to JSON (NaN, Infinity)."""

    def parse_body(self, request: HttpRequest) -> dict[str, object]:
        return cast(dict[str, object], read_json(request.body))


def read_json(body: bytes) -> object:
    """The JSON value. Raises HttpError 400 if it isn't JSON (RFC 8259), or is nested too deeply."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as malformed:
        raise HttpError(400, "The body is not JSON.") from malformed


def _no_constant(_: str) -> NoReturn:
    raise ValueError
