"""New files for exports."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from companion.cli.new_file import new_file


def test_a_disk_that_is_full_is_said_in_a_sentence_and_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"

    with pytest.raises(click.ClickException, match="can't be written: No space left"), new_file(file) as target:
        target.writelines(_until_the_disk_is_full())

    assert not file.exists()


def _until_the_disk_is_full() -> Iterator[bytes]:
    yield b"a part"
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
