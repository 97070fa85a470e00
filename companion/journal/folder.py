"""The folder of a Journal: its id, the list of its files, the files, and the removal of old files.

The list names every file that was ever begun here, so that a missing file is noticed.
"""

import datetime as dt
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from companion.journal.entries import Chained, Entry, Peers, entries_in

_ID: Final = "journal.id"
_LIST: Final = "files.list"
_SUFFIX: Final = ".journal"
_CLOCKS_APART: Final = dt.timedelta(days=1)
"""The largest difference between the clock of a file's machine and the clock of the entries."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The content of a folder. `whole`: no entry since the given instant is missing or damaged."""

    id: str
    whole: bool
    entries: list[Entry] = field(default_factory=list)


def opened(folder: Path) -> str:
    """The folder's id. The first call makes the folder and the id. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / _ID
    if not path.exists():
        fresh = folder / f".{uuid.uuid4().hex}"
        _write(fresh, uuid.uuid4().hex.encode())
        try:
            # Several services may start at once: the id of the first service counts.
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        sync_folder(folder)
    return _text(path).strip()


def new_file(folder: Path, name: str) -> int:
    """Begin a file for one writer, and put it into the list first. Return its descriptor. Raises OSError."""
    with _list(folder) as listing:
        os.write(listing, f"{name}{_SUFFIX}\n".encode())
        os.fsync(listing)
        file = os.open(folder / f"{name}{_SUFFIX}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        sync_folder(folder)
    return file


def prune(folder: Path, *, before: dt.datetime) -> int:
    """Remove files that nobody has written to since then, and note it in the list. Return their number."""
    removed = 0
    with _list(folder) as listing:
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            written = written_at(path)
            if written < before:
                os.write(listing, f"-{path.name} {written.isoformat()}\n".encode())
                os.fsync(listing)
                path.unlink()
                removed += 1
    return removed


def read(folder: Path, *, since: dt.datetime) -> Contents | None:
    """The content of a Journal's folder; None if the folder holds no Journal."""
    try:
        own = _text(folder / _ID).strip()
        lines = _text(folder / _LIST).splitlines()
    except OSError:
        return None
    begun = {line for line in lines if line and not line.startswith("-")}
    whole = True
    entries: list[Entry] = []
    for line in lines:
        if line.startswith("-"):
            name, _, until = line[1:].partition(" ")
            begun.discard(name)
            whole &= _is_before(until, since)
    for name in sorted(begun):
        try:
            if written_at(folder / name) < since - _CLOCKS_APART:
                continue
            found, undamaged = entries_in((folder / name).read_bytes())
        except (OSError, ValueError):
            # A damaged list may also give a name that no file can have.
            found, undamaged = [], False
        entries += found
        whole &= undamaged
    return Contents(own, whole, sorted(entries, key=lambda entry: entry.at))


def newest(folder: Path, count: int) -> list[Entry]:
    """The entries of the files that were begun last, as far as they can be read.

    Files that only say that a service is at work don't count: a service that starts again and again begins many.
    """
    found: list[Entry] = []
    for path in sorted(folder.glob(f"*{_SUFFIX}"), reverse=True):
        counting = [entry for entry in entries_in(path.read_bytes()).entries if not isinstance(entry, Peers | Chained)]
        found += counting
        count -= bool(counting)
        if not count:
            break
    return sorted(found, key=lambda entry: entry.at)


def written_at(file: Path) -> dt.datetime:
    """Return when the file was last written to."""
    return dt.datetime.fromtimestamp(file.stat().st_mtime, dt.UTC)


def sync_folder(folder: Path) -> None:
    """Make the names of a folder's files durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _text(path: Path) -> str:
    """The text of a file. Damaged bytes become characters that are in no name and no time."""
    return path.read_text(encoding="utf-8", errors="replace")


def _is_before(written: str, since: dt.datetime) -> bool:
    """Return whether a file ended before this instant; False if the time in the list can't be read."""
    try:
        return dt.datetime.fromisoformat(written) < since
    except (ValueError, TypeError):
        return False


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _list(folder: Path) -> Iterator[int]:
    """The list of files, for one process at a time."""
    descriptor = os.open(folder / _LIST, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
