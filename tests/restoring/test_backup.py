"""`companion backup` and `companion restore`, as they are typed, on both databases."""

import fcntl
import json
import os
import re
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pyrage
import pytest
from django.db import connection
from pytest_django import Settings

from companion.clinics import opt_outs
from companion.clinics.refusals import Conflict
from companion.restoring import backup, tables
from companion.restoring.sealing import Key, Lock
from companion.schedules.models import Message
from companion.service.clock import database_now
from companion.service.key_ring import ring
from tests.builders import NOW, a_bot, a_clinic, a_message, a_patient, a_sent_message
from tests.restoring.places import PASSPHRASE, an_empty_one, the_tests_own

LONG_AGO = NOW.replace(year=2025)
TEXT = "Your results are here."


def test_a_backup_brings_everything_back_held_and_paused(product_environment: dict[str, str], tmp_path: Path) -> None:
    clinic = a_clinic()
    a_bot(clinic)
    patient = a_patient(clinic, name="Ana Müller\t\\N 'x'")
    a_message(patient, due_at=LONG_AGO)
    a_message(patient, due_at=database_now().replace(year=2099))
    a_sent_message(patient, at=LONG_AGO)
    opt_outs.stop(clinic, 4711, source="patient: STOP", now=LONG_AGO)
    file = tmp_path / "backup.age"

    said = the_tests_own(product_environment, tmp_path).run("backup", str(file))
    place = an_empty_one(product_environment, tmp_path)
    restored = place.run("restore", str(file))
    key = place.run("key", "add", "look", "--role", "admin", "--clinic", clinic.slug).strip()

    assert "read and checked" in said
    assert "1 message is held, since it may have been sent before the restore" in restored
    assert key
    assert "Sending is resumed." in place.run("resume")
    assert file.stat().st_mode & 0o077 == 0


def test_a_restored_database_reads_the_same_texts_and_statuses(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    clinic = a_clinic()
    a_message(a_patient(clinic), due_at=database_now().replace(year=2099), text=TEXT)
    file = tmp_path / "backup.age"
    the_tests_own(product_environment, tmp_path).backup(file)
    place = an_empty_one(product_environment, tmp_path)
    place.restore(file)

    # A backup of the restored database can be restored in turn, so the database is complete.
    again = tmp_path / "again.age"
    place.backup(again)
    health = json.loads(place.tried("doctor", "--json").stdout)

    assert Message.objects.count() == 1
    assert again.stat().st_size > 0
    assert any(check["name"].startswith("Secret key") and check["result"] == "ok" for check in health["checks"])


def test_neither_the_secret_key_nor_any_word_stands_in_the_file_in_the_clear(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    a_patient(a_clinic(), name="Zebedee Quill")
    file = tmp_path / "backup.age"

    the_tests_own(product_environment, tmp_path).run("backup", str(file))
    plain = pyrage.passphrase.decrypt(file.read_bytes(), PASSPHRASE)

    assert b"Zebedee" not in file.read_bytes()
    assert product_environment["COMPANION_SECRET_KEY"].encode() not in plain
    assert [path.name for path in tmp_path.iterdir()] == ["backup.age"]


@pytest.mark.one_database
def test_a_backup_for_an_age_key_is_opened_by_that_key_alone(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    a_clinic()
    identity, file = pyrage.x25519.Identity.generate(), tmp_path / "backup.age"
    key_file, other = tmp_path / "key.txt", tmp_path / "other.txt"
    key_file.write_text(f"# created for the clinic\n{identity}\n")
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")

    the_tests_own(product_environment, tmp_path).run("backup", str(file), "--recipient", str(identity.to_public()))
    place = an_empty_one(product_environment, tmp_path)
    wrong = [place.tried("restore", str(file)), place.tried("restore", str(file), "--identity", str(other))]

    assert all("can't be opened" in done.stderr and "Traceback" not in done.stderr for done in wrong)
    assert "Restored as of" in place.run("restore", str(file), "--identity", str(key_file))


@pytest.mark.one_database
def test_a_passphrase_that_takes_a_slow_machine_too_long_is_not_called_wrong(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "backup.age"
    the_tests_own(product_environment, tmp_path).run("backup", str(file))
    # The header's number says how much work a passphrase is: each step doubles it.
    file.write_bytes(re.sub(rb"(-> scrypt \S+ )\d+", rb"\g<1>40", file.read_bytes(), count=1))

    said = refused(an_empty_one(product_environment, tmp_path).tried("restore", str(file)))

    assert "too slow or too busy" in said
    assert "damaged" not in said


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_restore_is_refused_into_a_database_that_holds_anything(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    clinic, file = a_clinic(), tmp_path / "backup.age"
    own = the_tests_own(product_environment, tmp_path)
    own.run("backup", str(file))

    assert "isn't empty" in refused(own.tried("restore", str(file)))
    clinic.refresh_from_db()
    assert clinic.sending_paused_at is None


@pytest.mark.one_database
def test_a_restore_with_another_secret_key_is_refused_before_anything_is_written(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    a_clinic()
    file = tmp_path / "backup.age"
    the_tests_own(product_environment, tmp_path).run("backup", str(file))
    place = an_empty_one(product_environment, tmp_path)

    assert "COMPANION_SECRET_KEY" in refused(place.tried("restore", str(file), secret_key="another"))
    assert "Restored as of" in place.run("restore", str(file))


@pytest.mark.one_database
def test_nothing_is_backed_up_in_the_clear_or_over_another_file(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    own, file = the_tests_own(product_environment, tmp_path), tmp_path / "there.age"
    file.write_text("precious")

    assert "never written in the clear" in refused(own.tried("backup", str(tmp_path / "a"), backup_passphrase=""))
    assert "is there already" in refused(own.tried("backup", str(file)))
    assert "age1" in refused(own.tried("backup", str(tmp_path / "b"), "--recipient", "ssh-rsa AAAA"))
    assert "can't be written" in refused(own.tried("backup", str(tmp_path / "no" / "folder")))
    assert file.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["there.age"]


@pytest.mark.parametrize("damage", ["cut", "changed", "nothing of ours"])
def test_a_damaged_file_changes_nothing(damage: str, product_environment: dict[str, str], tmp_path: Path) -> None:
    a_clinic()
    identity, file, key_file = pyrage.x25519.Identity.generate(), tmp_path / "backup.age", tmp_path / "key.txt"
    key_file.write_text(str(identity))
    backup.make(file, Lock(recipients=[str(identity.to_public())]))
    whole = file.read_bytes()
    file.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "changed": whole[:-40] + bytes(byte ^ 1 for byte in whole[-40:]),
            "nothing of ours": pyrage.encrypt(b"a letter", [identity.to_public()]),
        }[damage]
    )
    place = an_empty_one(product_environment, tmp_path)

    refused(place.tried("restore", str(file), "--identity", str(key_file)))

    assert place.tables() == 0


def test_unencrypted_data_of_a_killed_backup_is_removed_and_a_running_backup_s_is_not(
    settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    for name in (".backup-dead", ".backup-running"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "backup.zip").write_text("names and texts")
    held = os.open(tmp_path / ".backup-running", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)

    def writes(plain: Path) -> None:
        backup.remove_left_behind()
        plain.write_text("names and texts")

    backup.write_encrypted(tmp_path / "out.age", Lock(passphrase=PASSPHRASE), writes)
    os.close(held)

    assert sorted(file.name for file in tmp_path.iterdir()) == [".backup-running", "out.age"]


def test_a_backup_that_fails_leaves_no_unencrypted_data(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"

    def breaks(plain: Path) -> None:
        plain.write_text("names and texts")
        raise OSError(28, "No space left on device")

    with pytest.raises(Conflict):
        backup.write_encrypted(tmp_path / "out.age", Lock(passphrase=PASSPHRASE), breaks)

    assert [file.name for file in tmp_path.rglob("*")] == ["data"]


def a_backup_without_tables(file: Path) -> None:
    """A file that opens as a backup of this database and holds only the manifest."""
    told = {"format": 1, "taken_at": NOW, "database": connection.vendor, "migrations": [], "key": ring().in_use.id}

    def write(plain: Path) -> None:
        with ZipFile(plain, "w") as archive:
            archive.writestr("manifest.json", json.dumps(told, default=str))

    backup.write_encrypted(file, Lock(passphrase=PASSPHRASE), write)


def test_a_backup_without_tables_is_refused_and_an_error_of_ours_is_not_blamed_on_the_file(
    settings: Settings, tmp_path: Path
) -> None:
    settings.DATA_DIR, file, key = tmp_path / "data", tmp_path / "out.age", Key(passphrase=PASSPHRASE)
    a_backup_without_tables(file)

    with pytest.raises(Conflict, match="holds no tables"), backup.opened(file, key) as (manifest, archive, folder):
        tables.read(archive, folder, manifest.migrations, tables.Pause(at="", by=""))
    with pytest.raises(KeyError), backup.opened(file, key):
        raise KeyError("a mistake in a migration")
