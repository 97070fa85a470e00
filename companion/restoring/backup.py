"""Make and open backups: encrypted files with the database's whole content at one moment. The services keep working.

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
from companion.service.data_folder import data_folder
from companion.service.key_ring import ring
from companion.service.models import UsedKey

_MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_TEMPORARY: Final = ".backup-"
"""The beginning of the names of folders with unencrypted data, in the data folder."""
_NO_BACKUP: Final = "This file is not a backup of AI Companion Scheduler."
_FOREIGN: Final = (BadZipFile, KeyError, ValueError, EOFError, RuntimeError, zlib.error)
"""The errors that zipfile raises for an archive of another program, or for a damaged archive."""
_OTHER_KEY: Final = (
    "The backup was made with another COMPANION_SECRET_KEY ({lost}), so nobody could read its texts and tokens. Set "
    "this key, which was kept apart from the backup (it is in the file secret_key of the data folder if "
    'COMPANION_SECRET_KEY was unset), or add it to the present keys: docs/operations.md, "The secret keys".'
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
    """The ids of all secret keys that the content needs. Empty in backups of versions that knew only one key."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made and read back."""

    file: Path
    size: int
    manifest: Manifest


def make(file: Path, lock: Lock) -> Made:
    """Make a backup in a new file. Raises Refused and Conflict; then it leaves no file behind."""
    manifests: list[Manifest] = []
    write_encrypted(file, lock, lambda plain: manifests.append(_write(plain, plain.parent)))
    return Made(file, file.stat().st_size, manifests[0])


def write_encrypted(file: Path, lock: Lock, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file, encrypt that into the new file, and check that it can be read back.

    Raises Refused if there is no way to encrypt, and Conflict if the file exists or can't be written. Then it leaves no
    file behind.
    """
    sealing.check(lock)
    if file.exists():
        raise Conflict(f"{file.name} is there already. Choose another name.")
    # In the same folder: then one step gives the finished file its name.
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with _private_folder() as folder:
            plain = folder / "backup.zip"
            write(plain)
            sealing.seal(plain, unfinished, lock)
        _give_its_name(unfinished, file)
    except OSError as error:
        raise Conflict(f"The file can't be written ({error.strerror}). Check the folder and its disk.") from None
    finally:
        unfinished.unlink(missing_ok=True)


class Opened(NamedTuple):
    """An opened backup: its manifest, its content, and a temporary folder for unpacked files."""

    manifest: Manifest
    archive: ZipFile
    folder: Path


@contextmanager
def opened(file: Path, key: Key) -> Iterator[Opened]:
    """Open a backup. Raises Conflict if it can't be restored here."""
    try:
        with _private_folder() as folder:
            plain = folder / "backup.zip"
            sealing.unseal(file, plain, key)
            with _archive(plain) as archive:
                manifest = _manifest(archive)
                _check(manifest)
                yield Opened(manifest, archive, folder)
    except OSError as error:
        raise Conflict(f"The backup can't be read ({error.strerror}). Check the file and the data folder.") from None


def _archive(plain: Path) -> ZipFile:
    try:
        return ZipFile(plain)
    except _FOREIGN:
        raise Conflict(_NO_BACKUP) from None


def _manifest(archive: ZipFile) -> Manifest:
    try:
        return msgspec.json.decode(archive.read(_MANIFEST), type=Manifest)
    except (*_FOREIGN, msgspec.DecodeError):
        raise Conflict(_NO_BACKUP) from None


def _write(plain: Path, folder: Path) -> Manifest:
    # Read the clock before the tables: after a restore, a Message that was sent before `taken_at` counts as known.
    taken_at = database_now()
    leaves = MigrationLoader(connection).graph.leaf_nodes()
    in_use = ring().in_use.id
    manifest = Manifest(_FORMAT, taken_at, connection.vendor, sorted(leaves), in_use, _needed_keys())
    with ZipFile(plain, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_MANIFEST, json.dumps(msgspec.to_builtins(manifest)))
        tables.write(archive, folder)
    return manifest


def _check(manifest: Manifest) -> None:
    """Raise Conflict if this version, this database or the present secret keys can't restore the backup."""
    if manifest.format != _FORMAT:
        raise Conflict("The backup was made by a newer version. Install that version to restore it.")
    if manifest.database != connection.vendor:
        raise Conflict(
            f"The backup is of {_NAMES.get(manifest.database, 'another database')}, and COMPANION_DATABASE_URL means "
            f"{_NAMES[connection.vendor]}."
        )
    if lost := sorted({manifest.key, *manifest.keys} - set(ring().ids)):
        raise Conflict(_OTHER_KEY.format(lost=", ".join(lost)))


def _needed_keys() -> list[str]:
    """Return the ids of all keys that the database's content needs."""
    return sorted({ring().in_use.id, *UsedKey.objects.values_list("id", flat=True)})


_NAMES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def remove_left_behind() -> None:
    """Remove the unencrypted data of backups and exports that were killed. Leave the data of those that still run."""
    with _locked(settings.DATA_DIR):
        for folder in settings.DATA_DIR.glob(f"{_TEMPORARY}*"):
            # Leave folders that are in use, removed meanwhile, or another user's.
            with suppress(OSError), _locked(folder, wait=False):
                shutil.rmtree(folder)


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a temporary folder for unencrypted data. Only its owner can read it."""
    data = data_folder()
    remove_left_behind()
    with ExitStack() as stack:
        # While the data folder is locked, no other process takes the new folder for a folder that was left behind.
        with _locked(data):
            folder = Path(mkdtemp(dir=data, prefix=_TEMPORARY))
            stack.enter_context(_locked(folder))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process. Raises BlockingIOError instead of waiting."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _give_its_name(unfinished: Path, file: Path) -> None:
    """Give the finished file its name, and wait until all is on the disk."""
    unfinished.chmod(0o600)
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    # A hard link: unlike a rename, it never replaces another file.
    file.hardlink_to(unfinished)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
