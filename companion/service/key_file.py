"""The form in which secret keys stand in a file: a key on each line, the key in use first. Knows nothing of Django."""

import os
from collections.abc import Iterable
from pathlib import Path


def keys_in(text: str) -> list[str]:
    """The keys of a file or of a command's output, the key in use first."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def write(file: Path, secrets: Iterable[str]) -> None:
    """Replace the keys in the file in one step: a reader finds the old keys or the new ones, and never half of them."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    with fresh.open("w") as written:
        written.write("".join(f"{secret}\n" for secret in secrets))
        written.flush()
        os.fsync(written.fileno())
    fresh.replace(file)
