"""`If-Match` (RFC 9110, section 13.1.1): compares the tag that a caller read with the object's present tag.

One transaction compares the tags and makes the change, under the object's lock, so that no other change comes between.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from ninja.errors import HttpError

from companion.api.versions import Kind
from companion.clinics.models import Clinic
from companion.clinics.versions import Stale

HEADER: Final = "If-Match"
_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
PATTERN: Final = rf"(\*|({_TAG})([ \t]*,[ \t]*{_TAG})*)"
"""The header's form, as the API's description gives it. We also accept empty entries in the list, as the RFC asks."""
_LIST: Final = re.compile(rf"[ \t,]*{_TAG}(?:[ \t]*,[ \t,]*{_TAG})*[ \t,]*")
_ONE: Final = re.compile(_TAG)
_Row = TypeVar("_Row", bound=Model)
_Other = TypeVar("_Other", bound=Model)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Tagged(Generic[Answer]):
    """An answer with the ETag of the object that it shows; empty if it shows none."""

    answer: Answer
    tag: str


def wanted_of(request: HttpRequest) -> frozenset[str] | None:
    """Return the tags that the caller accepts, or None for any tag. Raises HttpError 400 if the header can't be read.

    A weak tag (`W/"…"`) stays in the set, but it equals no tag of an object: our tags are strong.
    """
    header = request.headers.get(HEADER)
    if header is None or header.strip(" \t") == "*":
        return None
    if not _LIST.fullmatch(header):
        raise HttpError(400, f'{HEADER} takes * or entity tags in quotes, with commas between them, like "33a64df5".')
    return frozenset(_ONE.findall(header))


def read(kind: Kind[_Row] | None, clinic: Clinic, id: uuid.UUID | None, view: Callable[[], Answer]) -> Tagged[Answer]:
    """Return the answer of `view`, with the tag of the object that it shows."""
    # The tag is read first. If the object changes before `view` runs, the tag is outdated, and the caller's next change
    # is refused. In the other order the caller could overwrite a change without having seen it.
    tag = _tag(kind, clinic, id)
    return Tagged(view(), tag)


def change(
    wanted: frozenset[str] | None,
    at: Kind[_Row] | None,
    shown: Kind[_Other] | None,
    clinic: Clinic,
    id: uuid.UUID | None,
    view: Callable[[], Answer],
) -> Tagged[Answer]:
    """Run `view`, which changes the object (`at`), if the object still has a tag that the caller accepts.

    `wanted` holds the accepted tags, None for any. Raises Stale if the object has another tag. If the object doesn't
    exist, `view` raises its own error. The answer carries the tag of the object that it shows.
    """
    with transaction.atomic():
        row = at.find(clinic, id, lock=True) if at else None
        if at and row and wanted is not None and wanted.isdisjoint(at.tags(row)):
            raise Stale(at.name, at.last_change(clinic, row))
        answer = view()
        # The id of an object that was created just now stands only in the answer.
        return Tagged(answer, _tag(shown, clinic, getattr(answer, "id", id)))


def _tag(kind: Kind[_Row] | None, clinic: Clinic, id: uuid.UUID | None) -> str:
    row = kind.find(clinic, id) if kind else None
    return kind.tag(row) if kind and row else ""
