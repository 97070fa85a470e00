"""The types of the values in bodies, parameters and answers: instants, ids, whole numbers, plain text.

They check only the form of a value. Lower rooms check its meaning, in the same way for pages and programs.
"""

import datetime as dt
import re
import uuid
from typing import Annotated, ClassVar, Final

from ninja import Body as InBody
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from companion.times.walls import FIRST_YEAR, LAST_YEAR

_INSTANT: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+ -]\d{2}:\d{2})", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)


class Body(BaseModel):
    """A body that programs send. An unknown field is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    def given(self) -> dict[str, object]:
        """Return the fields that were sent, under the API's names."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Shape(BaseModel):
    """A shape that programs read. `kind_of_object` names the kind of the object that it shows (versions.py), if any."""

    kind_of_object: ClassVar[str] = ""
    model_config = ConfigDict(populate_by_name=True)


def read_instant(value: object) -> object:
    """Read an RFC 3339 instant with an offset, as an aware UTC datetime. Raises ValueError for any other value."""
    if isinstance(value, dt.datetime):
        return value
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("Write an instant with an offset, like 2026-12-01T08:00:00Z or 2026-12-01T09:00:00+01:00.")
    day, clock, fraction, offset = match.groups()
    # A plus sign that was not escaped in a URL arrives as a space.
    text = f"{day}T{clock}{(fraction or '')[:7]}{offset.upper().replace(' ', '+')}"
    try:
        at = dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError) as impossible:
        raise ValueError("There is no such date or time.") from impossible
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"Choose a year from {FIRST_YEAR} to {LAST_YEAR}.")
    return at


def write_instant(at: dt.datetime) -> str:
    """Write an instant as RFC 3339, in UTC with a Z, and with fractions of a second only if there are any."""
    return at.astimezone(dt.UTC).replace(tzinfo=None).isoformat() + "Z"


def _read_id(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return value
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise ValueError("Write an id as the API gives it: a UUID.")
    return uuid.UUID(value)


def _no_control(value: str) -> str:
    if any(char < " " or char == "\x7f" for char in value):
        raise ValueError("The text holds a control character. Remove it.")
    return value


def _read_query_number(value: object) -> object:
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value):
            raise ValueError("Write a whole number.")
        return int(value)
    return value


def _read_query_flag(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return value
    if value not in ("true", "false"):
        raise ValueError("Write true or false.")
    return value == "true"


def empty_is_absent(value: object) -> object:
    """Read an empty parameter (`?status=`) as an absent parameter."""
    return None if value == "" else value


def _refuse_null(value: object) -> object:
    if value is None:
        raise ValueError("Send a value, or leave this field out. null is refused: it could be taken to mean all.")
    return value


class _NotNull:
    """A validator that refuses null in an optional field. Place it last in the field's `Annotated`."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_refuse_null, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        shown = handler(schema)
        [value] = [choice for choice in shown.pop("anyOf") if choice != {"type": "null"}]
        return {**shown, **value}


NOT_NULL: Final = _NotNull()
"""A rule for optional fields that narrow a call: if a program has no value and sends null, it must not reach all."""
Instant = Annotated[
    dt.datetime,
    BeforeValidator(read_instant),
    PlainSerializer(write_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Id = Annotated[uuid.UUID, BeforeValidator(_read_id), WithJsonSchema({"type": "string", "format": "uuid"})]
OneLine = Annotated[StrictStr, AfterValidator(_no_control)]
"""Text of one line, without control characters."""
Day = Annotated[StrictStr, WithJsonSchema({"type": "string", "format": "date"})]
"""A date like 2026-12-25. The rooms below read it."""
QueryNumber = Annotated[int, BeforeValidator(_read_query_number)]
QueryFlag = Annotated[bool, BeforeValidator(_read_query_flag)]
Whole = Annotated[StrictInt, Field(ge=-(2**53), le=2**53)]
"""A whole number that every JSON reader keeps exactly (RFC 8259, section 6)."""


class Nothing(Body):
    """The body of an action: an object without fields. Any field is refused, not ignored."""


NoBody = Annotated[Nothing | None, InBody()]
"""The body may be left out."""
