"""An entry of the audit trail as plain values. Exports and evidence packets use the same names."""

import datetime as dt
from typing import Final

from companion.clinics.models import AuditEntry

COLUMNS: Final = (
    "number",
    "id",
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "on_behalf_of",
    "address",
    "action",
    "reading",
    "subject_kind",
    "subject_id",
    "changes",
    "key_id",
    "seal",
    "hash",
)


def plain(entry: AuditEntry) -> dict[str, object]:
    """The entry's values in the form of JSON."""
    values = {column: getattr(entry, column) for column in COLUMNS}
    ids = {name: str(values[name]) if values[name] else None for name in ("id", "actor_id", "subject_id")}
    at = entry.at.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return values | ids | {"at": at}
