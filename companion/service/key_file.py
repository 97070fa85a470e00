"""The file of the secret keys: a key on each line, the key in use first. This module doesn't use Django."""

import os
from collections.abc import Iterable
from pathlib import Path


def keys_in(text: str) -> list[str]:
    """The keys of a file or of a command's output, the key in use first."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def write(file: Path, secrets: Iterable[str]) -> None:
    """Replace the file in one step: a reader gets either all of the old keys or all of the new keys."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    with fresh.open("w") as written:
        written.write("".join(f"{secret}\n" for secret in secrets))
        written.flush()
        os.fsync(written.fileno())
    fresh.replace(file)
