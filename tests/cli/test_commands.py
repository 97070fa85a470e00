"""Commands that can't do their work: each says why in a sentence, with an exit status and without a traceback."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from companion.cli.doctor import exit_status
from companion.panel.check import CheckResult, Result
from companion.panel.finding import Status
from companion.panel.health import HealthReport
from tests.builders import NOW
from tests.cli.running import a_command, own_environment
from tests.support import session
from tests.support.database_proxy import a_door_before
from tests.support.services import DEADLINE


def a_report(status: Status) -> HealthReport:
    return HealthReport(status, "direct", NOW, ())


def a_check(result: Result) -> CheckResult:
    return CheckResult("Disk", "Machine", result, "", "")


@pytest.mark.parametrize(
    ("health", "check", "expected"),
    [
        ("ok", "ok", 0),
        ("ok", "warning", 1),
        ("degraded", "ok", 1),
        ("degraded", "failed", 2),
        ("down", "ok", 2),
    ],
)
def test_the_doctors_exit_status_is_the_worst_it_found(health: Status, check: Result, expected: int) -> None:
    assert exit_status(a_report(health), [a_check("ok"), a_check(check)]) == expected


def test_a_wrong_setting_is_named_in_a_sentence(tmp_path: Path) -> None:
    done = a_command("web", environment=own_environment(tmp_path, port="eighty", sandbox="perhaps"), folder=tmp_path)

    assert done.returncode == 1
    assert "COMPANION_PORT must be a whole number from 0 to 65535." in done.stderr
    assert "COMPANION_SANDBOX must be 1 or 0." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_url_that_cannot_be_read_is_never_quoted(tmp_path: Path) -> None:
    environment = own_environment(tmp_path, database_url="postgresql://me:hunter2@host:port/companion")

    done = a_command("doctor", environment=environment, folder=tmp_path)

    assert done.returncode == 2
    assert "COMPANION_DATABASE_URL" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_a_database_that_is_away_brings_the_doctor_to_two(tmp_path: Path) -> None:
    environment = own_environment(tmp_path, database_url="postgresql://me:hunter2@127.0.0.1:1/companion")

    done = a_command("doctor", environment=environment, folder=tmp_path)

    assert done.returncode == 2
    assert "The database can't be reached" in done.stdout
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("words", [["dispatcher"], ["key", "add", "reports"]])
def test_a_command_without_tables_says_which_command_makes_them(words: list[str], tmp_path: Path) -> None:
    done = a_command(*words, environment=own_environment(tmp_path), folder=tmp_path)

    assert done.returncode == 1
    assert "companion migrate" in done.stderr


def test_migrate_makes_the_first_clinic_and_may_be_run_again(tmp_path: Path) -> None:
    environment = own_environment(tmp_path)
    first = a_command("migrate", environment=environment, folder=tmp_path)
    again = a_command("migrate", environment=environment, folder=tmp_path)

    added = a_command("member", "add", "nora@clinic.example", environment=environment, folder=tmp_path)

    assert (first.returncode, again.returncode) == (0, 0)
    assert added.stdout.startswith("http://127.0.0.1:8000/sign-in/")


def test_migrate_makes_the_data_folder_also_with_a_key_of_the_environment(tmp_path: Path) -> None:
    environment = own_environment(tmp_path, secret_key="only-for-tests")

    done = a_command("migrate", environment=environment, folder=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_migrate_gives_up_in_a_sentence_when_its_time_is_over(tmp_path: Path) -> None:
    environment = own_environment(tmp_path, database_url="postgresql://me@127.0.0.1:1/companion")

    done = a_command("migrate", "--wait", "0", environment=environment, folder=tmp_path)

    assert done.returncode == 1
    assert "The database can't be reached" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not session.on_postgresql(), reason="a database that is not there yet")
def test_migrate_waits_for_a_database_that_is_not_there_yet(product_environment: dict[str, str]) -> None:
    with a_door_before(product_environment["COMPANION_DATABASE_URL"]) as door:
        door.shut()
        command = [sys.executable, "-m", "companion.cli.main", "migrate", "--wait", "inf"]
        environment = {**product_environment, "COMPANION_DATABASE_URL": door.url}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as migrating:
            assert migrating.stderr is not None
            assert "Trying again" in migrating.stderr.readline()
            door.reopen()

            assert migrating.wait(DEADLINE) == 0


@pytest.mark.skipif(not session.on_postgresql(), reason="a login")
def test_migrate_says_while_it_waits_that_the_login_is_refused(product_environment: dict[str, str]) -> None:
    own = urlsplit(product_environment["COMPANION_DATABASE_URL"])
    environment = {**product_environment, "COMPANION_DATABASE_URL": own._replace(netloc="nobody@").geturl()}
    command = [sys.executable, "-m", "companion.cli.main", "migrate", "--wait", "inf"]

    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as migrating:
        assert migrating.stderr is not None
        said = migrating.stderr.readline()
        migrating.kill()

    assert "The database refuses our login" in said
