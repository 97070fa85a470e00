"""`companion keys`: everything sealed anew by a new key while services work, as it is typed."""

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage
import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from pytest_django import Settings

from companion.clinics import key_changes, opt_outs, resealing, second_factors
from companion.clinics.models import AuditEntry, Bot, OptOut
from companion.clinics.refusals import Conflict, Unknown
from companion.clinics.resealing import BATCH, BEFORE_IDS
from companion.clinics.sealed import sealed_now
from companion.listener import media
from companion.listener.models import MediaPart
from companion.schedules.models import Attempt, Message
from companion.service.clock import database_now
from companion.service.key_ring import key_id, ring
from companion.service.models import Heartbeat, Kind, UsedKey
from tests.builders import NOW, a_bot, a_clinic, a_kept_photo, a_member, a_message, a_patient, a_schedule, an_attempt
from tests.clinics.rings import NEWER, NEWER_ID, forget_older, sealed_without_id, stored, use_newer
from tests.panel.stories import a_heartbeat
from tests.restoring.places import Place, an_empty_one, the_tests_own
from tests.support import session
from tests.support.services import eventually

TEXT = "Your results are here."
OLDER = "only-for-tests"


def rotated() -> int:
    return resealing.reseal_all(lambda _: None)


def many_messages(count: int) -> None:
    patient = a_patient(a_clinic())
    first = a_message(patient, text=TEXT)
    Message.objects.bulk_create(
        Message(
            clinic=first.clinic, patient=patient, lane=first.lane, text=f"{TEXT} {number}",
            due_at=NOW, ready_at=NOW, late_at=NOW, created_at=NOW,
        )
        for number in range(count - 1)
    )  # fmt: skip


def keys(place: Place, *words: str, **settings: str) -> str:
    """A `companion keys` command that knows both keys; the newer key is in use."""
    return place.run("keys", *words, **{"secret_key": NEWER, "other_secret_keys": OLDER} | settings)


@pytest.mark.django_db
def test_everything_sealed_is_sealed_anew_and_reads_as_before(settings: Settings) -> None:
    clinic = a_clinic()
    bot, patient = a_bot(clinic), a_patient(clinic)
    message = a_message(patient, a_schedule(clinic, patient))
    an_attempt(message, text=TEXT)
    photo = a_kept_photo(patient)
    media._kept(photo, b"x" * (media.PART_BYTES + 3), NOW)
    before = use_newer(settings)

    shut = rotated()
    needs = resealing.needed()
    forget_older(settings)

    assert (shut, before in needs, BEFORE_IDS in needs) == (0, False, False)
    assert Bot.objects.get().token == bot.token
    assert Attempt.objects.get().text == TEXT
    assert b"".join(media.read(photo, 0, media.PART_BYTES + 3)) == b"x" * (media.PART_BYTES + 3)
    assert MediaPart.objects.count() == 2


@pytest.mark.django_db
def test_values_from_before_there_were_ids_are_given_the_key_in_use() -> None:
    a_message(a_patient(a_clinic()))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE schedules_message SET text = %s", [sealed_without_id(TEXT, "schedules.Message.text")])

    assert resealing.needed()[BEFORE_IDS] == Counter({"schedules.Message": 1})
    rotated()

    assert [value[:7] for value in stored("schedules_message", "text")] == [sealed_now()]
    assert Message.objects.get().text == TEXT
    assert BEFORE_IDS not in resealing.needed()


@pytest.mark.django_db
def test_a_value_that_no_key_opens_stays_as_it_is_and_is_counted(settings: Settings) -> None:
    a_message(a_patient(a_clinic()), text=TEXT)
    a_bot(a_clinic())
    (lying,) = stored("schedules_message", "text")
    before = use_newer(settings)
    forget_older(settings)

    shut = rotated()

    assert shut == 2
    assert stored("schedules_message", "text") == [lying]
    assert resealing.needed()[before]["schedules.Message"] == 1


@pytest.mark.django_db
def test_a_chat_whose_number_is_known_is_hashed_anew_and_another_keeps_its_key(settings: Settings) -> None:
    clinic = a_clinic()
    for chat in (1, 2):
        opt_outs.stop(clinic, chat, source="patient: STOP", now=NOW)
    OptOut.objects.filter(telegram_id=1).update(telegram_id=None)
    before = use_newer(settings)

    rotated()

    assert resealing.needed()[before] == Counter({"clinics.OptOut": 1, "clinics.AuditEntry": 2})
    assert resealing.needed()[NEWER_ID] == Counter({"clinics.OptOut": 1})
    assert opt_outs.stopped_among(clinic, [1, 2, 3]) == {1, 2}


@pytest.mark.django_db
def test_a_second_factor_s_secret_is_sealed_anew(settings: Settings) -> None:
    sealed = second_factors.seal_secret("JBSWY3DPEHPK3PXP")
    row = Authenticator.objects.create(user=a_member(a_clinic()).user, type="totp", data={"secret": sealed, "other": 1})
    use_newer(settings)

    rotated()
    forget_older(settings)
    row.refresh_from_db()

    assert second_factors.open_secret(row.data["secret"]) == "JBSWY3DPEHPK3PXP"
    assert row.data["other"] == 1
    assert set(resealing.needed()) == {NEWER_ID}


def test_a_rotation_that_was_killed_goes_on_where_it_was(
    product_environment: dict[str, str], tmp_path: Path, settings: Settings
) -> None:
    many_messages(12 * BATCH)
    environment = product_environment | {"COMPANION_SECRET_KEY": NEWER, "COMPANION_OTHER_SECRET_KEYS": OLDER}
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEWER, [OLDER]

    command = [sys.executable, "-m", "companion.cli.main", "keys", "rotate"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        eventually(lambda: NEWER_ID in resealing.needed(), "the first batch")
        os.kill(process.pid, signal.SIGKILL)
    left = resealing.needed()[ring().keys[1].id]["schedules.Message"]
    said = keys(Place(environment, tmp_path), "rotate")

    assert 0 < left < 12 * BATCH
    assert "sealed with the key in use" in said
    assert set(resealing.needed()) == {NEWER_ID}
    assert {message.text for message in Message.objects.all()[:20]} <= {
        TEXT,
        *(f"{TEXT} {number}" for number in range(6000)),
    }


@pytest.mark.django_db(transaction=True)
def test_a_text_that_is_changed_while_keys_rotate_keeps_the_change(settings: Settings) -> None:
    many_messages(4 * BATCH)
    ids = list(Message.objects.order_by("id").values_list("pk", flat=True))
    before = use_newer(settings)
    done = threading.Event()

    def rotate() -> None:
        try:
            rotated()
        finally:
            connection.close()
            done.set()

    rotating = threading.Thread(target=rotate)
    rotating.start()
    written: dict[uuid.UUID, str] = {}
    while not done.wait(0.001):
        for pk in ids[len(written) : len(written) + 20]:
            written[pk] = f"changed {pk}"
            Message.objects.filter(pk=pk).update(text=written[pk])
    rotating.join()

    assert written
    assert dict(Message.objects.filter(pk__in=[*written]).values_list("pk", "text")) == written
    assert before not in resealing.needed()


@pytest.mark.one_database
def test_the_commands_change_the_data_folder_s_key_step_by_step(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    """The story of a key beside a service: made, known, used, everything sealed anew, the former key dropped."""
    a_bot(a_clinic())
    before, place = ring().in_use.id, with_a_key_file(product_environment, tmp_path)
    file = Path(place.environment["COMPANION_DATA_DIR"]) / "secret_key"
    a_living_service(before, [before])

    after = place.run("keys", "new").split()[2]
    refused = place.tried("keys", "use", after)
    a_living_service(before, [before, after])
    place.run("keys", "use", after)
    early = place.tried("keys", "rotate")
    a_living_service(after, [after, before])
    place.run("keys", "rotate")
    refused_drop = place.tried("keys", "drop", before)
    left = place.run("keys", "list")

    assert "dispatcher on host (1)" in refused.stderr
    assert "still use another" in early.stderr
    # The audit trail is never sealed anew, so its entries are checked with the key of their time.
    assert "still needed by clinics.AuditEntry" in refused_drop.stderr
    in_use, former = left.splitlines()
    assert in_use.startswith(f"{after}  in use  needed by: ")
    assert "clinics.Bot 1" in in_use
    assert former.startswith(before)
    assert former.endswith("needed by: clinics.AuditEntry 2")
    assert {key_id(secret) for secret in file.read_text().split()} == {before, after}
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.one_database
@pytest.mark.skipif(session.on_postgresql(), reason="the trigger is SQLite's")
def test_no_key_is_used_or_dropped_if_the_audit_trail_can_not_record_it(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    a_clinic()
    place = with_a_key_file(product_environment, tmp_path)
    file = Path(place.environment["COMPANION_DATA_DIR"]) / "secret_key"
    new = place.run("keys", "new").split()[2]
    before, used = file.read_text(), set(UsedKey.objects.values_list("id", flat=True))

    with refusing_entries():
        use, drop = place.tried("keys", "use", new), place.tried("keys", "drop", new)

    assert (use.returncode, drop.returncode) == (1, 1)
    assert file.read_text() == before
    assert set(UsedKey.objects.values_list("id", flat=True)) == used | {new}


@contextmanager
def refusing_entries() -> Iterator[None]:
    """The database takes no entry of the audit trail."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TRIGGER full BEFORE INSERT ON clinics_auditentry BEGIN SELECT RAISE(ABORT, 'full'); END")
        try:
            yield
        finally:
            cursor.execute("DROP TRIGGER full")


def with_a_key_file(environment: dict[str, str], folder: Path) -> Place:
    """The test's own database, with its key in the file of a data folder instead of a variable."""
    place, data = the_tests_own(environment, folder), folder / "data"
    data.mkdir()
    (data / "secret_key").write_text(OLDER)
    if not session.on_postgresql():
        (data / "companion.sqlite3").symlink_to(Path(environment["COMPANION_DATA_DIR"]) / "companion.sqlite3")
    return Place(place.environment | {"COMPANION_SECRET_KEY": "", "COMPANION_DATA_DIR": str(data)}, folder)


def a_living_service(in_use: str, known: list[str]) -> None:
    Heartbeat.objects.all().delete()
    a_heartbeat(Kind.DISPATCHER, key=in_use, keys=known)
    Heartbeat.objects.update(beat_at=database_now())


@pytest.mark.django_db
def test_a_key_that_something_needs_is_not_dropped(settings: Settings) -> None:
    a_bot(a_clinic())
    before = use_newer(settings)

    with pytest.raises(Conflict, match=r"still needed by clinics\.Bot 1"):
        key_changes.drop(before, lost=False, now=NOW)
    with pytest.raises(Conflict, match="is in use"):
        key_changes.drop(NEWER_ID, lost=True, now=NOW)
    with pytest.raises(Unknown):
        key_changes.drop("0123456789ab", lost=True, now=NOW)


@pytest.mark.one_database
@pytest.mark.parametrize("command", [["rotate"], ["use", "0123456789ab"], ["drop", "0123456789ab"]])
def test_with_another_data_folders_key_no_key_is_changed_and_nothing_is_sealed(
    product_environment: dict[str, str], tmp_path: Path, command: list[str]
) -> None:
    place = the_tests_own(product_environment, tmp_path)
    a_bot(a_clinic())
    UsedKey.objects.create(id=NEWER_ID, since=NOW)
    before = AuditEntry.objects.count()

    refusal = place.tried("keys", *command)

    assert refusal.returncode == 1
    assert AuditEntry.objects.count() == before
    assert UsedKey.objects.filter(pk=NEWER_ID).exists()


@pytest.mark.one_database
def test_a_lost_key_stops_commands_until_it_is_given_up(product_environment: dict[str, str], tmp_path: Path) -> None:
    place = the_tests_own(product_environment, tmp_path)
    a_bot(a_clinic())
    place.run("keys", "rotate")
    UsedKey.objects.create(id=NEWER_ID, since=NOW)

    refusal = place.tried("resume")
    listed = place.run("keys", "list")
    place.run("keys", "drop", NEWER_ID, "--lost")

    assert NEWER_ID in refusal.stderr
    assert f"{NEWER_ID}  MISSING HERE" in listed
    assert "isn't paused" in place.tried("resume").stderr
    assert AuditEntry.objects.filter(action=f"secret key {NEWER_ID} dropped").exists()


def test_a_backup_opens_with_the_key_of_its_time_among_the_known_keys(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    a_message(a_patient(a_clinic()), text=TEXT)
    identity, file, key_file = pyrage.x25519.Identity.generate(), tmp_path / "backup.age", tmp_path / "key.txt"
    key_file.write_text(str(identity))
    recipient = str(identity.to_public())
    the_tests_own(product_environment, tmp_path).run("backup", str(file), "--recipient", recipient)
    place = an_empty_one(product_environment, tmp_path)
    words = ("restore", str(file), "--identity", str(key_file))

    refusal = place.tried(*words, secret_key=NEWER)
    restored = place.run(*words, secret_key=NEWER, other_secret_keys=OLDER)

    assert ring().in_use.id in refusal.stderr
    assert "Restored as of" in restored
