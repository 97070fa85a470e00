"""UUIDs of version 7 (RFC 9562): they sort by creation time, so that new rows land at the end of an index."""

import uuid

from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A fresh primary key."""
    return uuid7()
