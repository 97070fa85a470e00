"""Lists, page by page: the parameters of every list, and cursors that callers can't invent.

A cursor is sealed: it may hold a name, and a proxy may log the address in which it stands.
"""

import base64
import binascii
from typing import Annotated, Final

from pydantic import BaseModel, Field, model_validator

from companion.api.values import OneLine, QueryNumber
from companion.clinics.refusals import no_cursor
from companion.clinics.sealed import CannotOpen, seal, unseal

MOST: Final = 500
_PURPOSE: Final = "api.paging."


class Parameters(BaseModel):
    """The query parameters of a call. An empty parameter (`?status=`) counts as absent."""

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, given: object) -> object:
        return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


class ListParameters(Parameters):
    """The query parameters of every list."""

    limit: Annotated[QueryNumber, Field(ge=1, le=MOST, description="The largest number of items on a page.")] = 50
    cursor: Annotated[OneLine | None, Field(max_length=2000, description="The `next` of the previous page.")] = None


def cursor_of(list_name: str, last: str) -> str:
    """Return the cursor of the next page. `last` is the sort key of the last row on this page."""
    return base64.urlsafe_b64encode(seal(last, _PURPOSE + list_name)).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str) -> str:
    """Return the sort key in a cursor. Raises Refused if `cursor_of` didn't make the cursor for this list."""
    try:
        sealed = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return unseal(sealed, _PURPOSE + list_name)
    except (binascii.Error, CannotOpen, ValueError):
        raise no_cursor() from None
