"""The heart by the rows that it leaves in a real database, also while that is out of order."""

import datetime as dt
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from companion.journal import folder, writing
from companion.journal.entries import Peers
from companion.service.clock import database_now
from companion.service.heartbeat import Heart
from companion.service.key_ring import KeyFileWatch, key_id, ring
from companion.service.models import Heartbeat, UsedKey
from companion.service.watchdog import SOCKET, Ear
from tests.service.waiting import until

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
pytestmark = pytest.mark.django_db(transaction=True)


def turns(call: Callable[[], None]) -> None:
    """A main loop that turns."""
    call()


def hangs(_call: Callable[[], None]) -> None:
    """A main loop that calls nothing any more."""


@contextmanager
def a_beating_heart(*, seconds: float = 0.05, loop: Callable[[Callable[[], None]], object] = turns) -> Iterator[Heart]:
    heart = Heart(
        "dispatcher",
        state=lambda: {"on_wire": 3},
        health_url=lambda: "http://127.0.0.1:9",
        in_main_loop=loop,
        seconds=seconds,
    )
    heart.start()
    try:
        yield heart
    finally:
        heart.stop()


def a_beat() -> Heartbeat:
    until(Heartbeat.objects.exists, "a heartbeat")
    return Heartbeat.objects.get()


def test_a_process_that_starts_shows_itself_at_once() -> None:
    with a_beating_heart(seconds=60):
        beat = a_beat()

    assert (beat.kind, beat.pid, beat.health_url) == ("dispatcher", os.getpid(), "http://127.0.0.1:9")
    assert beat.state == {"on_wire": 3, "key": ring().in_use.id, "keys": ring().ids}
    assert database_now() - beat.beat_at < dt.timedelta(minutes=1)


def test_it_beats_on_in_its_one_row() -> None:
    with a_beating_heart():
        first = a_beat()

        until(lambda: Heartbeat.objects.get().beat_at > first.beat_at, "the next beat")

        assert Heartbeat.objects.get().id == first.id
        assert Heartbeat.objects.get().started_at == first.started_at


def test_a_process_that_stops_cleanly_leaves_no_row() -> None:
    with a_beating_heart(seconds=60):
        a_beat()

    assert not Heartbeat.objects.exists()


def test_rows_of_processes_that_were_killed_go_after_a_day() -> None:
    now = database_now()
    killed = {hours: _row_of(now - dt.timedelta(hours=hours)).id for hours in (1, 25)}

    with a_beating_heart(seconds=60):
        until(lambda: Heartbeat.objects.count() == 2, "the beat and the younger row")

        assert Heartbeat.objects.filter(id=killed[1]).exists()


def test_an_outage_of_the_database_does_not_stop_the_heart() -> None:
    with a_beating_heart():
        before = a_beat()
        with _table_out_of_order():
            began = database_now()
        until(lambda: Heartbeat.objects.filter(beat_at__gt=began).exists(), "a beat after the outage")

        assert Heartbeat.objects.get().id == before.id


def test_the_supervisor_hears_that_the_process_lives_even_during_an_outage(ear: Ear) -> None:
    with a_beating_heart():
        until(ear.heard, "the first word")
        with _table_out_of_order():
            until(ear.heard, "a word that was on its way")
            until(ear.heard, "a word during the outage")


def test_a_process_whose_main_loop_hangs_is_not_said_to_live(ear: Ear) -> None:
    with a_beating_heart(loop=hangs):
        first = a_beat()
        until(lambda: Heartbeat.objects.get().beat_at > first.beat_at, "a second beat")

        assert not ear.heard()


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ear]:
    """The starter of this process, as systemd is."""
    listening = Ear(a_short_path(tmp_path_factory))
    monkeypatch.setenv(SOCKET, str(listening.path))
    yield listening
    listening.close()


def a_short_path(factory: pytest.TempPathFactory) -> Path:
    # A socket's path may have only 107 bytes.
    return factory.mktemp("ear") / "socket"


def _row_of(beat_at: dt.datetime) -> Heartbeat:
    return Heartbeat.objects.create(
        id=uuid.uuid4(),
        kind="web",
        host="elsewhere",
        pid=1,
        version="0",
        started_at=beat_at,
        beat_at=beat_at,
        health_url="",
    )


@contextmanager
def _table_out_of_order() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE service_heartbeat RENAME TO service_away")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE service_away RENAME TO service_heartbeat")


def signs_in(path: Path) -> list[Peers]:
    found = folder.read(path, since=LONG_AGO)
    return [entry for entry in found.entries if isinstance(entry, Peers)] if found else []


def test_a_service_with_nothing_to_do_writes_into_its_journal_that_it_is_at_work(tmp_path: Path) -> None:
    with writing.process_journal(tmp_path, "listener", 35) as journal, a_beating_heart():
        first = a_beat()
        until(lambda: Heartbeat.objects.get().beat_at > first.beat_at, "the next beat")

        until(lambda: bool(signs_in(tmp_path)), "the service's sign")

    assert [sign.folders for sign in signs_in(tmp_path)] == [[journal.id]]


def test_a_journal_that_begins_on_another_host_is_named_in_this_journal_at_the_next_beat(tmp_path: Path) -> None:
    with writing.process_journal(tmp_path, "listener", 35) as journal, a_beating_heart():
        a_beat()
        Heartbeat.objects.create(
            id=uuid.uuid4(),
            kind="dispatcher",
            host="other",
            pid=1,
            version="1",
            started_at=database_now(),
            beat_at=database_now(),
            health_url="",
            state={"journal": "other"},
        )

        until(lambda: any("other" in sign.folders for sign in signs_in(tmp_path)), "the other host's Journal")

    assert signs_in(tmp_path)[-1].folders == sorted([journal.id, "other"])


def test_a_service_follows_a_changed_file_of_keys_and_keeps_its_keys_when_the_file_is_wrong(
    tmp_path: Path, settings: Settings
) -> None:
    old, before = settings.SECRET_KEY, ring().in_use.id
    settings.SECRET_KEYS_FILE = file = tmp_path / "secret_key"
    file.write_text(f"{old}\n")

    def known() -> object:
        return next((beat.state["keys"] for beat in Heartbeat.objects.all()), None)

    with a_beating_heart():
        until(lambda: known() == [before], "the first beat")
        file.write_text(f"newer\n{old}\n")
        until(lambda: known() == [key_id("newer"), before], "the newer key")
        file.write_text("quite another key\n")
        beat_at = Heartbeat.objects.get().beat_at
        until(lambda: Heartbeat.objects.get().beat_at > beat_at, "a beat with the wrong file")
        kept = known()

    assert kept == [key_id("newer"), before]
    assert UsedKey.objects.filter(pk=key_id("newer")).exists()


def test_keys_that_change_during_an_outage_are_read_once_it_is_over(settings: Settings, tmp_path: Path) -> None:
    settings.SECRET_KEYS_FILE = file = tmp_path / "secret_key"
    file.write_text(f"{settings.SECRET_KEY}\n")
    watch = KeyFileWatch()
    file.write_text(f"newer\n{settings.SECRET_KEY}\n")

    with connection.execute_wrapper(_away), pytest.raises(OperationalError):
        watch.adopt_changes()
    watch.adopt_changes()

    assert ring().in_use.id == key_id("newer")


def _away(*_: object) -> None:
    raise OperationalError
