"""Strict reading of a JSON body. For any bytes, the only error is HttpError 400."""

import json
from typing import NoReturn, cast

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.parser import Parser


class StrictParser(Parser):
    """Ninja's parser, without Python's additions to JSON (NaN, Infinity)."""

    def parse_body(self, request: HttpRequest) -> dict[str, object]:
        return cast(dict[str, object], read_json(request.body))


def read_json(body: bytes) -> object:
    """Return the JSON value. Raises HttpError 400 if it is wrong, nested too deeply, or repeats a field (RFC 8259)."""
    try:
        return json.loads(body, parse_constant=_no_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError) as malformed:
        raise HttpError(400, "The body is not JSON.") from malformed


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        # Python would use the last value, and a message could go to another patient than the caller meant.
        raise HttpError(400, "A field occurs twice in one object of the body. Send each field once.")
    return values


def _no_constant(_: str) -> NoReturn:
    raise ValueError
