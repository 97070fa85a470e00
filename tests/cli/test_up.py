"""`companion up` as people start it: real processes, one start for many promises; the last tests end it."""

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.running import Up, a_command, alive, own_environment, up
from tests.support.services import DEADLINE, eventually


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Up]:
    with up(folder, "--demo") as started:
        eventually(lambda: started.health().get("status") == "ok", "health")
        yield started


@pytest.fixture(scope="module")
def key(running: Up) -> str:
    return running.key("tests")


def items(running: Up, key: str, path: str) -> list[dict[str, object]]:
    _, body = running.get(f"/api/scheduler/{path}", key)
    found: list[dict[str, object]] = json.loads(body)["items"]
    return found


def test_the_printed_link_opens(running: Up) -> None:
    assert running.get(running.link)[0] == 200


def test_the_key_alone_is_printed_so_that_a_script_can_take_it(key: str) -> None:
    assert key.startswith("ack_")
    assert "\n" not in key


def test_the_demo_brings_twenty_five_patients_and_two_share_a_name(running: Up, key: str) -> None:
    patients = items(running, key, "patients?limit=100")

    assert len(patients) == 25
    assert len({patient["name"] for patient in patients}) == 24


def test_the_demos_first_messages_are_really_sent(running: Up, key: str) -> None:
    eventually(lambda: len(items(running, key, "messages?status=sent")) >= 6, "six messages sent")


def test_the_demo_shows_why_a_message_failed(running: Up, key: str) -> None:
    def reasons() -> set[str]:
        failed = items(running, key, "messages?status=failed")
        return {str(message["reason"]["code"]) for message in failed if isinstance(message["reason"], dict)}

    eventually(lambda: reasons() >= {"blocked", "no_telegram_id"}, "two kinds of failure")


def test_the_dispatcher_itself_answers_for_health(running: Up) -> None:
    assert running.health()["source"] == "direct"


def test_the_doctor_finds_nothing_down(running: Up) -> None:
    done = running.command("doctor", "--json")

    found = json.loads(done.stdout)
    assert found["status"] == "ok"
    # A warning: messages wait for patients who have no Telegram ID.
    assert done.returncode == 1, [check for check in found["checks"] if check["result"] == "failed"]


def test_a_second_up_on_the_same_data_says_so(running: Up) -> None:
    done = running.command("up")

    assert done.returncode == 1
    assert "runs on this data folder already" in done.stderr


def test_a_port_that_is_taken_is_said_in_words(running: Up, tmp_path: Path) -> None:
    running_elsewhere = {**running.environment, "COMPANION_DATA_DIR": str(tmp_path / "data")}

    done = Up(running.process, running_elsewhere, running.port, tmp_path).command("up")

    assert done.returncode == 1
    assert f"Port {running.port} on 127.0.0.1 can't be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_while_the_dispatcher_hangs_the_control_panel_answers_for_it(running: Up) -> None:
    dispatcher = running.children()["dispatcher"]
    os.kill(dispatcher, signal.SIGSTOP)
    try:
        eventually(lambda: running.health().get("source") == "mcp", "the second layer")
        report = running.health()
    finally:
        os.kill(dispatcher, signal.SIGCONT)

    assert report["status"] == "degraded"


def test_a_service_that_dies_is_started_again(running: Up) -> None:
    listener = running.children()["listener"]

    os.kill(listener, signal.SIGKILL)

    eventually(lambda: running.children().get("listener", listener) != listener, "another listener")


def test_no_log_line_holds_a_token_or_a_text(running: Up) -> None:
    logged = (running.folder / "stderr").read_text()

    assert running.link.rpartition("/")[2] not in logged
    assert "blood results" not in logged


def test_children_end_with_their_parent_even_by_kill_9(running: Up) -> None:
    children = running.children()
    assert set(children) == {"web", "dispatcher", "listener"}

    running.process.kill()

    eventually(lambda: not any(alive(pid) for pid in children.values()), "the end of all children")


def test_a_second_start_adds_nothing_and_stops_cleanly(running: Up, key: str, folder: Path) -> None:
    running.process.kill()
    running.process.wait(DEADLINE)

    with up(folder, "--demo") as again:
        patients = len(items(again, key, "patients?limit=100"))
        schedules = len(items(again, key, "schedules?limit=100"))
        again.process.terminate()
        status = again.process.wait(DEADLINE)

    assert (patients, schedules, status) == (25, 9, 0)


def test_a_start_prints_no_link_into_an_archived_clinic(folder: Path) -> None:
    """Such a link opens nothing."""
    environment = {**own_environment(folder), "COMPANION_SANDBOX": "1"}
    a_command("clinic", "archive", "demo", environment=environment, folder=folder)

    with up(folder, "--demo") as again:
        said = again.said

    assert "AI Companion Scheduler runs at" in said
    assert "/sign-in/" not in said


def test_a_start_brings_the_protection_of_the_audit_trail_back_and_says_so(tmp_path: Path) -> None:
    a_command("migrate", environment=own_environment(tmp_path), folder=tmp_path)
    with closing(sqlite3.connect(tmp_path / "data" / "companion.sqlite3")) as file:
        file.execute("DROP TRIGGER audit_no_removal")

        with up(tmp_path):
            left = file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'audit_no_removal'").fetchone()

    assert "the trigger audit_no_removal is gone" in (tmp_path / "stderr").read_text()
    assert left == (1,)
