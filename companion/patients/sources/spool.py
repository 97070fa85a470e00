"""A store for a source's rows until all have arrived. No row is stored as a patient before that.

The store is a sealed file without a name, because it is a list of patients. It disappears when the process ends.
"""

import datetime as dt
import json
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, cast

from companion.clinics.sealed import seal, unseal
from companion.patients.sources.source import Found, Point, SourceDown, later, not_ahead
from companion.patients.upsert import BATCH

_PURPOSE: Final = "patients.sources.spool"
_LENGTH: Final = struct.Struct(">I")
MOST_BYTES: Final = 2 * 2**30
"""Room for millions of patients; an endless source must not fill the disk, which all clinics share."""


class Spool:
    """A spool: fill it once, then read it in batches. `reached` is the latest point of its rows."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes: Final = most_bytes
        self._file: Final = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 (close() ends it)
        self.reached: Point | None = None

    def fill(self, found: Iterable[Found], *, now: dt.datetime) -> None:
        """Take all rows. Raises SourceDown if the source raises it, or if there are too many rows."""
        batch: list[Found] = []
        for found_patient in found:
            self.reached = later(self.reached, not_ahead(found_patient.changed, now))
            batch.append(found_patient)
            if len(batch) == BATCH:
                self._put(batch)
                batch = []
        self._put(batch)

    def batches(self) -> Iterator[list[Found]]:
        """All rows in their order."""
        self._file.seek(0, os.SEEK_SET)
        while head := self._file.read(_LENGTH.size):
            (length,) = _LENGTH.unpack(head)
            rows = json.loads(unseal(self._file.read(length), _PURPOSE))
            yield [Found(place, values, left=left, trouble=trouble) for place, values, left, trouble in rows]

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def _put(self, batch: list[Found]) -> None:
        rows = [
            (found_patient.place, dict(found_patient.values), found_patient.left, found_patient.trouble)
            for found_patient in batch
        ]
        data = seal(json.dumps(rows, default=_plain), _PURPOSE)
        self._file.write(_LENGTH.pack(len(data)) + data)
        if self._file.tell() > self._most_bytes:
            raise SourceDown("The source gives more rows than a clinic can have patients. Nothing was changed.")


def _plain(value: object) -> object:
    """A date as ISO text. Values that no field can hold (bytes, floats) become something that fields.py refuses."""
    return value.isoformat() if isinstance(value, dt.date) else {}
