"""The ids of rows: UUIDs of version 7 (RFC 9562). They sort by creation time, so new rows land at an index's end."""

import uuid

from uuid_utils.compat import uuid7

from companion.clinics.refusals import Unknown


def new_id() -> uuid.UUID:
    """Return a new primary key."""
    return uuid7()


def as_uuid(text: str) -> uuid.UUID:
    """Read an id from an address or a form. Raises Unknown for a text that can't be an id."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Unknown from None
