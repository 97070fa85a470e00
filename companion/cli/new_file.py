"""New files for exports, which only their owner may read."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import click


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a new file in the block. If the block fails, no file is left.

    Raises click.ClickException if the file exists or can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with ExitStack() as on_failure:
            # A part of an export could be taken for a complete export, and the next try couldn't write the file.
            on_failure.callback(path.unlink)
            with os.fdopen(descriptor, "wb") as file:
                yield file
            on_failure.pop_all()
    except OSError as error:
        raise click.ClickException(f"{path} can't be written: {error.strerror}.") from None
