"""The data folder: SQLite's file, locks, and temporary files."""

from pathlib import Path

from django.conf import settings


def data_folder() -> Path:
    """Return the data folder. If there is none, make it, so that only its owner can read it."""
    folder: Path = settings.DATA_DIR
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
