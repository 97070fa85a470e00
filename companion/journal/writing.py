"""The Journal of this process: what a dispatcher or a listener has done, kept apart from the database.

`note` keeps entries in memory and `sync` makes them durable, so that one fsync serves a whole transaction. A process
that has opened no Journal (the web, a command) notes nothing.
"""

import datetime as dt
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from companion.journal import folder as folders
from companion.journal.entries import Entry, line_of


class JournalGone(Exception):
    """The Journal can't be written: nothing may leave until it can."""


class Journal:
    """A process's writer: a file of its own, and a new file each day, so that old files can be removed whole."""

    def __init__(self, folder: Path, kind: str, days: int) -> None:
        self._folder, self._kind, self._days = folder, kind, days
        self._lock = threading.Lock()
        self._waiting: list[Entry] = []
        self._file: int | None = None
        self._day = dt.date.min
        self._checksum = 0
        self.id = ""
        """The id of its folder."""

    def open(self) -> None:
        """Begin a file. Raises OSError if the folder can't be written."""
        self.id = folders.opened(self._folder)
        self._turn_page(dt.datetime.now(dt.UTC))

    def note(self, entries: Sequence[Entry]) -> None:
        """Keep entries in memory; `sync` writes them."""
        with self._lock:
            self._waiting += entries

    def forget(self) -> None:
        """Drop the noted entries that are not written: a transaction that begins anew notes them again."""
        with self._lock:
            self._waiting.clear()

    def sync(self) -> None:
        """Make all noted entries durable. Raises JournalGone if the disk refuses them."""
        with self._lock:
            if not self._waiting:
                return
            self._write(self._waiting)
            self._waiting.clear()

    def write(self, entry: Entry) -> None:
        """Make this entry durable at once, and no other entry. Raises JournalGone if the disk refuses it."""
        with self._lock:
            self._write([entry])

    def close(self) -> None:
        """End the file."""
        with self._lock:
            self._close()

    def _write(self, entries: Sequence[Entry]) -> None:
        try:
            self._append(entries)
        except OSError as error:
            # The last line may be incomplete, so it ends this file; the next try begins another file.
            self._close()
            raise JournalGone(error.strerror) from error

    def _append(self, entries: Sequence[Entry]) -> None:
        now = dt.datetime.now(dt.UTC)
        if self._file is None or now.date() != self._day:
            self._turn_page(now)
        if self._file is None:
            raise OSError("no file")
        checksum, lines = self._checksum, []
        for entry in entries:
            line, checksum = line_of(entry, checksum)
            lines.append(line)
        data = b"".join(lines)
        if os.write(self._file, data) != len(data):
            raise OSError("no space")
        os.fdatasync(self._file)
        self._checksum = checksum

    def _turn_page(self, now: dt.datetime) -> None:
        self._close()
        name = f"{now:%Y%m%dT%H%M%S}-{self._kind}-{uuid.uuid4().hex[:12]}"
        self._file = folders.new_file(self._folder, name)
        self._day, self._checksum = now.date(), 0
        folders.prune(self._folder, before=now - dt.timedelta(days=self._days))

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


_own: Final[list[Journal]] = []


@contextmanager
def process_journal(folder: Path, kind: str, days: int) -> Iterator[Journal]:
    """Keep this process's Journal until the block ends. Raises OSError if no file can be begun."""
    journal = Journal(folder, kind, days)
    journal.open()
    _own.append(journal)
    try:
        yield journal
    finally:
        _own.remove(journal)
        with suppress(JournalGone):
            journal.sync()
        journal.close()


def note(*entries: Entry) -> None:
    """Keep entries in memory, if this process has a Journal."""
    for journal in _own:
        journal.note(entries)


def forget() -> None:
    """Drop the noted entries that are not written."""
    for journal in _own:
        journal.forget()


def sync() -> None:
    """Make all noted entries durable. Raises JournalGone."""
    for journal in _own:
        journal.sync()


def write(entry: Entry) -> None:
    """Make one entry durable at once, before the noted entries. Raises JournalGone."""
    for journal in _own:
        journal.write(entry)


def folder_id() -> str:
    """The id of the folder that this process writes to; empty if it has no Journal."""
    return next((journal.id for journal in _own), "")
