"""The Journal on disk: what was noted comes back, and what is missing or damaged is noticed."""

import datetime as dt
import os
import uuid
from pathlib import Path

import pytest

from companion.journal import folder, writing
from companion.journal.entries import Begun, Ended, Entry, Heard, Peers
from companion.journal.folder import Contents
from companion.journal.writing import JournalGone
from tests.builders import NOW

LONG_AGO = NOW.replace(year=2020)
IDS = [uuid.UUID(int=number) for number in range(1, 5)]
ENTRIES: list[Entry] = [
    Begun(NOW, IDS[0], IDS[1], IDS[2], 4711, IDS[3], None, "2026-12-01T09:00"),
    Ended(NOW + dt.timedelta(seconds=1), IDS[0], "sent", 17),
    Heard(NOW + dt.timedelta(seconds=2), IDS[2], 4711, "stop"),
    Peers(NOW + dt.timedelta(seconds=3), ["one", "other"]),
]


def written(path: Path, kind: str = "dispatcher", entries: list[Entry] = ENTRIES) -> None:
    with writing.process_journal(path, kind, 35):
        for entry in entries:
            writing.note(entry)
        writing.sync()


def read(path: Path, since: dt.datetime = LONG_AGO) -> Contents:
    found = folder.read(path, since=since)
    assert found is not None
    return found


def the_file(path: Path) -> Path:
    (found,) = path.glob("*.journal")
    return found


def test_entries_of_several_writers_come_back_in_the_order_of_time(tmp_path: Path) -> None:
    written(tmp_path, "dispatcher", ENTRIES[1::2])
    written(tmp_path, "listener", ENTRIES[0::2])

    found = read(tmp_path)

    assert found.entries == ENTRIES
    assert found.whole
    assert len(list(tmp_path.glob("*.journal"))) == 2


def test_a_folder_keeps_its_id_and_another_folder_has_another_id(tmp_path: Path) -> None:
    first, other = tmp_path / "first", tmp_path / "other"
    written(first)
    before = read(first).id
    written(first)
    written(other)

    assert read(first).id == before
    assert read(other).id != before


def test_nothing_is_on_disk_before_it_is_made_durable(tmp_path: Path) -> None:
    with writing.process_journal(tmp_path, "dispatcher", 35):
        writing.note(ENTRIES[0])
        assert read(tmp_path).entries == []
        writing.sync()
        assert read(tmp_path).entries == ENTRIES[:1]


def test_a_torn_end_keeps_what_stands_before_it_but_the_journal_is_not_whole(tmp_path: Path) -> None:
    written(tmp_path)
    content = the_file(tmp_path).read_bytes()
    the_file(tmp_path).write_bytes(content[:-5])

    found = read(tmp_path)

    assert found.entries == ENTRIES[:-1]
    assert not found.whole


@pytest.mark.parametrize("line", [0, 1])
def test_a_line_that_was_changed_or_taken_out_is_noticed(line: int, tmp_path: Path) -> None:
    written(tmp_path)
    lines = the_file(tmp_path).read_bytes().splitlines(keepends=True)

    the_file(tmp_path).write_bytes(b"".join(lines[:line] + lines[line + 1 :]))

    assert not read(tmp_path).whole


def test_a_file_that_is_missing_is_noticed(tmp_path: Path) -> None:
    written(tmp_path)
    the_file(tmp_path).unlink()

    assert not read(tmp_path).whole


def test_old_files_are_removed_whole_and_count_only_against_older_copies(tmp_path: Path) -> None:
    written(tmp_path)
    old = dt.datetime.now(dt.UTC) - dt.timedelta(days=36)
    os.utime(the_file(tmp_path), (old.timestamp(), old.timestamp()))

    written(tmp_path, entries=[])

    assert len(list(tmp_path.glob("*.journal"))) == 1
    assert read(tmp_path, old + dt.timedelta(days=1)).whole
    assert not read(tmp_path, old - dt.timedelta(days=1)).whole


def test_the_newest_entries_are_found_behind_a_service_that_started_again_and_again(tmp_path: Path) -> None:
    written(tmp_path, "dispatcher", ENTRIES[:3])
    for _ in range(8):
        written(tmp_path, "listener", ENTRIES[3:])

    assert folder.newest(tmp_path, 2) == ENTRIES[:3]


def test_a_folder_without_a_journal_is_none(tmp_path: Path) -> None:
    assert folder.read(tmp_path, since=NOW) is None
    assert folder.read(tmp_path / "nowhere", since=NOW) is None


def test_a_journal_that_cannot_be_written_says_so_and_goes_on_in_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with writing.process_journal(path, "dispatcher", 35) as journal:
        journal.close()
        path.rename(tmp_path / "elsewhere")
        writing.note(ENTRIES[0])
        with pytest.raises(JournalGone):
            writing.sync()
        (tmp_path / "elsewhere").rename(path)
        writing.sync()

    assert read(path).entries == ENTRIES[:1]
