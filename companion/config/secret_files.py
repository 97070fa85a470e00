"""Secrets in files, as containers and systemd provide them: COMPANION_…_FILE names the file with COMPANION_…"""

from collections.abc import Iterable
from pathlib import Path


def with_secrets_of_files(given: dict[str, object], names: Iterable[str]) -> dict[str, object]:
    """Return the settings with the secrets from files. Raises ValueError, which names the variable but no secret."""
    found = dict(given)
    for name in names:
        file = given.get(f"{name}_file")
        if not file:
            continue
        if given.get(name):
            raise ValueError(f"COMPANION_{name.upper()} and COMPANION_{name.upper()}_FILE are both set. Unset either.")
        found[name] = text_of(Path(str(file)), f"COMPANION_{name.upper()}_FILE")
    return found


def text_of(file: Path, variable: str) -> str:
    """Return the file's text without the line break at its end. Raises ValueError, which names the variable."""
    try:
        text = file.read_text().strip()
    except OSError as wrong:
        raise ValueError(f"{variable} names a file that can't be read ({wrong.strerror}).") from None
    except UnicodeDecodeError:
        raise ValueError(f"{variable} names a file that is no text.") from None
    if not text:
        raise ValueError(f"{variable} names an empty file.")
    return text
