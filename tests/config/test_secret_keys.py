"""Sources of secrets: variables, files and a command's output, and the sentences when one of them fails."""

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from companion.cli.ready import sentences
from companion.config.environment import Environment
from companion.config.secret_keys import Known, known


@pytest.fixture(autouse=True)
def _no_key_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPANION_SECRET_KEY")


def environment(**given: object) -> Environment:
    return Environment.model_validate(given)


def keys_of(folder: Path, **given: object) -> list[str]:
    return list(known(environment(**given), folder).keys)


def test_a_single_key_is_taken_as_it_stands_in_its_variable(tmp_path: Path) -> None:
    assert keys_of(tmp_path, secret_key=" with spaces around it ") == [" with spaces around it "]


def test_the_first_key_is_in_use_and_the_others_only_open(tmp_path: Path) -> None:
    assert keys_of(tmp_path, secret_key="used\nolder\n", other_secret_keys="oldest older") == [
        "used",
        "older",
        "oldest",
    ]


def test_keys_are_read_from_a_file_which_is_then_watched(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("used\n\nolder\n")

    found = known(environment(secret_key_file=str(file), other_secret_keys="oldest"), tmp_path)

    assert found == Known(["used", "older", "oldest"], file)


def test_keys_are_read_from_a_command_without_a_shell(tmp_path: Path) -> None:
    command = f"{sys.executable} -c \"print('used'); print('older;$HOME')\""

    assert keys_of(tmp_path, secret_key_command=command) == ["used", "older;$HOME"]


def test_a_data_folder_makes_its_key_once(tmp_path: Path) -> None:
    first = known(environment(), tmp_path / "data")

    assert known(environment(), tmp_path / "data") == first
    assert (len(first.keys), first.ours, first.file) == (1, True, tmp_path / "data" / "secret_key")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"secret_key": "a", "secret_key_command": "true"}, "COMPANION_SECRET_KEY_COMMAND"),
        ({"secret_key_command": "false"}, "COMPANION_SECRET_KEY_COMMAND"),
        ({"secret_key_command": "no-such-program-here"}, "COMPANION_SECRET_KEY_COMMAND"),
        ({"secret_key_command": "'half a quote"}, "COMPANION_SECRET_KEY_COMMAND"),
        ({"secret_key_command": "true"}, "COMPANION_SECRET_KEY"),
        ({"secret_key_command": "printf '\\n \\n'"}, "COMPANION_SECRET_KEY"),
        ({"secret_key_command": "printf '\\377'"}, "COMPANION_SECRET_KEY_COMMAND"),
        ({"secret_key": "   "}, "COMPANION_SECRET_KEY"),
        ({"secret_key": "\n \n"}, "COMPANION_SECRET_KEY"),
        ({"secret_key_file": "/no/such/file"}, "COMPANION_SECRET_KEY_FILE"),
        ({"secret_key_file": "/dev/null"}, "COMPANION_SECRET_KEY_FILE"),
    ],
)
def test_keys_that_cannot_be_had_are_said_by_their_variable(
    tmp_path: Path, given: dict[str, object], named: str
) -> None:
    with pytest.raises(ValueError, match=r"^COMPANION_") as refusal:
        keys_of(tmp_path, **given)

    assert named in str(refusal.value)
    assert not any(str(value) in str(refusal.value).split() for value in given.values())


def test_any_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "smtp").write_text("smtps://user:secret@mail.example\n")

    own = environment(smtp_url_file=str(tmp_path / "smtp"))

    assert (own.mail_server.user, own.mail_server.password) == ("user", "secret")


def test_a_secret_in_a_file_is_judged_like_a_secret_in_a_variable(tmp_path: Path) -> None:
    (tmp_path / "smtp").write_text("ftp://user:secret@mail.example")

    with pytest.raises(ValidationError) as refusal:
        environment(smtp_url_file=str(tmp_path / "smtp"))

    assert sentences(refusal.value).startswith("COMPANION_SMTP_URL must be an address like")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"smtp_url": "smtp://a", "smtp_url_file": "/tmp/x"},
            "COMPANION_SMTP_URL and COMPANION_SMTP_URL_FILE are both",
        ),
        ({"smtp_url_file": "/no/such/file"}, "COMPANION_SMTP_URL_FILE names a file that can't be read"),
    ],
)
def test_a_file_that_cannot_serve_is_said_in_words(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        environment(**given)

    assert sentences(refusal.value).startswith(said)
