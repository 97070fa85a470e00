"""The export as one zip: the JSON, the readable page, and the files that the patient sent. Written piece by piece, so
that large files need no memory.
"""

import datetime as dt
import zipfile
from collections.abc import Iterator
from typing import Final

from companion.clinics.access import Caller
from companion.listener import media
from companion.listener.media import FileUnavailable
from companion.listener.models import Media
from companion.patients.models import Patient
from companion.rights import gathering, own_rows
from companion.rights.readable import page_of
from companion.rights.shapes import PatientExport

JSON_NAME: Final = "patient.json"
PAGE_NAME: Final = "patient.html"


def packed(caller: Caller, patient: Patient, *, now: dt.datetime) -> Iterator[bytes]:
    """The zip's bytes. Files that nobody has opened yet are fetched from Telegram first. Raises NotAllowed."""
    files = _fetched(patient, now)
    export = gathering.everything(caller, patient, now=now)
    kept = {file.pk: file for file in files if file.kept_at}
    return _zip(export, [kept[one.id] for one in export.files if one.id in kept], caller.clinic.timezone)


def json_of(export: PatientExport) -> str:
    """The export as JSON."""
    return export.model_dump_json(indent=2)


def _fetched(patient: Patient, now: dt.datetime) -> list[Media]:
    """All files; once Telegram doesn't answer, it is not asked again."""
    found, may_ask = [], True
    for file in own_rows.files_of(patient):
        if may_ask and not file.kept_at:
            try:
                found.append(media.fetched(file, now=now))
                continue
            except FileUnavailable as why:
                may_ask = not why.later
        found.append(file)
    return found


def _zip(export: PatientExport, files: list[Media], timezone: str) -> Iterator[bytes]:
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr(JSON_NAME, json_of(export))
        whole.writestr(PAGE_NAME, page_of(export, timezone))
        for file in files:
            with whole.open(gathering.path_of(file), "w") as target:
                for piece in media.read(file, 0, file.size or 0):
                    target.write(piece)
                    yield pipe.taken()
    yield pipe.taken()


class _Pipe:
    """Keeps what the zip writes until it is taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        """Keep the bytes."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: the bytes wait until they are taken."""

    def close(self) -> None:
        """Do nothing: there is no file."""

    def taken(self) -> bytes:
        """The bytes since the last call."""
        found, self._written = bytes(self._written), bytearray()
        return found
