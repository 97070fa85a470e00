"""The export as one zip file: the JSON, the page to read, and the files that the patient sent.

The zip is written piece by piece, so that large files need little memory.
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
    """Return the bytes of the zip. Fetches files from Telegram that nobody has opened yet. Raises NotAllowed."""
    files = _fetched(patient, now)
    export = gathering.everything(caller, patient, now=now)
    stored = {file.pk: file for file in files if file.kept_at}
    return _zip(export, [stored[entry.id] for entry in export.files if entry.id in stored], caller.clinic.timezone)


def json_of(export: PatientExport) -> str:
    """Return the export as JSON."""
    return export.model_dump_json(indent=2)


def _fetched(patient: Patient, now: dt.datetime) -> list[Media]:
    """Return all files, fetched as far as possible. If Telegram doesn't answer once, it is not asked again."""
    files, may_ask = [], True
    for file in own_rows.files_of(patient):
        if may_ask and not file.kept_at:
            try:
                files.append(media.fetched(file, now=now))
                continue
            except FileUnavailable as unavailable:
                may_ask = not unavailable.later
        files.append(file)
    return files


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
    """A buffer that keeps the bytes of the zip until they are taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        """Keep the bytes."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: the bytes stay until they are taken."""

    def close(self) -> None:
        """Do nothing: there is no file."""

    def taken(self) -> bytes:
        """Return the bytes that were written since the last call."""
        data, self._written = bytes(self._written), bytearray()
        return data
