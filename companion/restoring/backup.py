"""Backups: one encrypted file with the database's whole content at one moment, made while the services work.

The file holds the tables and a manifest that describes them. It never holds the secret key, without which nobody can
read texts and tokens.
"""

import datetime as dt
import fcntl
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NamedTuple
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from companion.clinics.refusals import Conflict
from companion.restoring import sealing, tables
from companion.restoring.sealing import Key, Lock
from companion.service.clock import database_now
from companion.service.key_ring import ring
from companion.service.models import UsedKey

_MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_ASIDE: Final = ".backup-"
"""The beginning of the names of folders with unencrypted data, in the data folder."""
_NO_BACKUP: Final = "This file is no backup of AI Companion Scheduler."
_OTHER_KEY: Final = (
    "The backup was made with another COMPANION_SECRET_KEY ({lost}), so nobody could read its texts and tokens. Give "
    "back the key that was kept apart from it (the file secret_key in the data folder, where COMPANION_SECRET_KEY is "
    'unset), or add it to the present keys: docs/operations.md, "The secret keys".'
)


class Manifest(msgspec.Struct, frozen=True):
    """The description of a backup, inside it."""

    format: int
    taken_at: dt.datetime
    """All changes before this instant are in the backup."""
    database: str
    """sqlite or postgresql."""
    migrations: list[tuple[str, str]]
    """The newest migration of each app."""
    key: str
    """The id of the secret key in use."""
    keys: list[str] = []
    """The ids of all secret keys that its content needs; empty in backups from before there were several."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made and read back."""

    file: Path
    size: int
    manifest: Manifest


def make(file: Path, lock: Lock) -> Made:
    """Makes a backup in a new file. Raises Refused and Conflict, and then leaves no file behind."""
    manifests: list[Manifest] = []
    kept_whole(file, lock, lambda plain: manifests.append(_write(plain, plain.parent)))
    return Made(file, file.stat().st_size, manifests[0])


def kept_whole(file: Path, lock: Lock, write: Callable[[Path], None]) -> None:
    """Encrypt into a new file what `write` puts into an unencrypted file aside, and read it back.

    Raises Refused without a way to encrypt, and Conflict; then leaves no file behind.
    """
    sealing.check(lock)
    if file.exists():
        raise Conflict(f"{file.name} is there already. Choose another name.")
    # In the same folder, so that one step gives the whole file its name.
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with _aside() as folder:
            plain = folder / "backup.zip"
            write(plain)
            sealing.seal(plain, half, lock)
        _keep(half, file)
    except OSError as wrong:
        raise Conflict(f"The file can't be written ({wrong.strerror}). Look at the folder and its disk.") from None
    finally:
        half.unlink(missing_ok=True)


class Opened(NamedTuple):
    """An opened backup: its manifest, its content, and a folder for its parts."""

    manifest: Manifest
    archive: ZipFile
    folder: Path


@contextmanager
def opened(file: Path, key: Key) -> Iterator[Opened]:
    """Opens a backup. Raises Conflict if it can't be restored here."""
    try:
        with _aside() as folder:
            plain = folder / "backup.zip"
            sealing.unseal(file, plain, key)
            with ZipFile(plain) as archive:
                manifest = _manifest(archive)
                _fits(manifest)
                yield Opened(manifest, archive, folder)
    except OSError as wrong:
        raise Conflict(f"The backup can't be read ({wrong.strerror}). Look at the file and the data folder.") from None
    except (BadZipFile, KeyError, NotImplementedError):
        raise Conflict(_NO_BACKUP) from None


def _manifest(archive: ZipFile) -> Manifest:
    try:
        return msgspec.json.decode(archive.read(_MANIFEST), type=Manifest)
    except (BadZipFile, KeyError, ValueError, EOFError, RuntimeError, zlib.error, msgspec.DecodeError):
        # All of these are zipfile's answers to an archive that another program wrote, or that is damaged.
        raise Conflict(_NO_BACKUP) from None


def _write(plain: Path, folder: Path) -> Manifest:
    # Read before the tables are: an instant that is too late would leave a sent Message out.
    taken_at = database_now()
    leaves = MigrationLoader(connection).graph.leaf_nodes()
    manifest = Manifest(_FORMAT, taken_at, connection.vendor, sorted(leaves), *_keys())
    with ZipFile(plain, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_MANIFEST, json.dumps(msgspec.to_builtins(manifest)))
        tables.write(archive, folder)
    return manifest


def _fits(manifest: Manifest) -> None:
    if manifest.format != _FORMAT:
        raise Conflict("The backup was made by a newer version. Install that one to restore it.")
    if manifest.database != connection.vendor:
        raise Conflict(
            f"The backup is of {_NAMES.get(manifest.database, 'another database')}, and COMPANION_DATABASE_URL means "
            f"{_NAMES[connection.vendor]}."
        )
    if lost := sorted({manifest.key, *manifest.keys} - set(ring().ids)):
        raise Conflict(_OTHER_KEY.format(lost=", ".join(lost)))


def _keys() -> tuple[str, list[str]]:
    """The id of the key in use, and those of all keys that the database's content needs."""
    in_use = ring().in_use.id
    return in_use, sorted({in_use, *UsedKey.objects.values_list("id", flat=True)})


_NAMES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def remove_left_behind() -> None:
    """Remove the unencrypted data of backups and exports that were killed. Those that still run keep theirs."""
    with _locked(settings.DATA_DIR):
        for folder in settings.DATA_DIR.glob(f"{_ASIDE}*"):
            # One that is in use, gone by now, or another user's stays.
            with suppress(OSError), _locked(folder, wait=False):
                shutil.rmtree(folder)


@contextmanager
def _aside() -> Iterator[Path]:
    """A folder that only the owner can read, for unencrypted data, and removed at the end."""
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    remove_left_behind()
    with ExitStack() as kept:
        # While the data folder is locked, nobody takes the new folder for one that was left behind.
        with _locked(settings.DATA_DIR):
            folder = Path(mkdtemp(dir=settings.DATA_DIR, prefix=_ASIDE))
            kept.enter_context(_locked(folder))
            kept.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process. Raises BlockingIOError instead of waiting."""
    own = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(own, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(own)


def _keep(half: Path, file: Path) -> None:
    """Puts the whole file in its place, durably."""
    half.chmod(0o600)
    with half.open("rb") as written:
        os.fsync(written.fileno())
    # Unlike a rename it never takes the place of another file.
    file.hardlink_to(half)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
