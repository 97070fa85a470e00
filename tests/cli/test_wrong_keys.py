"""Every command and service with a secret key that is not the data's: it says so, and changes and shows nothing."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from django.apps import apps
from pytest_django import Settings

from companion.cli.main import main
from companion.clinics import audit, chain
from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient
from companion.service import key_ring
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_member, a_patient
from tests.cli.running import a_command, own_environment
from tests.support.services import a_free_port

WITHOUT_THE_KEY = {
    ("audit", "verify"): "can't be checked without a secret key",
    ("backup",): "never written in the clear",
    ("doctor",): "Give back",
    ("keys", "list"): "MISSING HERE",
    ("keys", "new"): "",
    ("keys", "drop"): "There is no key",
    ("keys", "rotate"): "so nothing was changed",
    ("keys", "use"): "so nothing was changed",
    ("restore",): "",
}
"""Commands that work, or refuse for another reason, without the key: they read no sealed value and write no row."""
ANOTHER_KEY = {"secret_key": "another key, only for tests"}
SERVICES = {("web",), ("dispatcher",), ("listener",), ("up",)}


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = {path: command for path, command in _commands(main) if path not in SERVICES}


def _words(path: tuple[str, ...], clinic: Clinic, patient: Patient, file: Path) -> list[str]:
    """The command with a value for each argument and option that it needs."""
    known = {
        "slug": clinic.slug,
        "email": "ana@linden.example",
        "role": "viewer",
        "taken": "2026-11-27T08:00:00Z",
        "timezone": "Europe/Berlin",
        "decision": "sent",
    }
    words = list(path)
    for parameter in COMMANDS[path].params:
        if not parameter.required:
            continue
        value = known.get(str(parameter.name)) or (
            str(file) if isinstance(parameter.type, click.Path) else str(patient.external_id)
        )
        words += [value] if isinstance(parameter, click.Argument) else [parameter.opts[-1], value]
    return words


def _rows() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}


@pytest.mark.django_db
@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_command_works_with_a_key_that_is_not_the_datas(
    path: tuple[str, ...], settings: Settings, tmp_path: Path
) -> None:
    clinic = a_clinic(slug="linden")
    a_bot(clinic)
    a_member(clinic, Role.ADMIN, "ana@linden.example")
    patient = a_patient(clinic, external_id="P-1", name="Zebulon Quist")
    audit.record(a_caller(clinic), "patient added", "patient", patient.id, now=NOW, changes=audit.NO_VALUE)
    chain.catch_up(clinic.pk)
    key_ring.note_use(key_ring.ring().in_use.id)
    before = _rows()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key, only for tests", []
    file = tmp_path / "file"
    if any(isinstance(parameter.type, click.Path) and parameter.type.exists for parameter in COMMANDS[path].params):
        file.write_text("external_id,name\nP-2,Otto\n")

    done = CliRunner().invoke(main, _words(path, clinic, patient, file), input="n\n")

    assert _rows() == before
    assert "Zebulon" not in done.output
    assert isinstance(done.exception, SystemExit | None)
    if path in WITHOUT_THE_KEY:
        assert WITHOUT_THE_KEY[path] in done.output
    else:
        assert (done.exit_code, "is none of the keys known here" in done.output) == (1, True), done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that a key has sealed."""
    folder = tmp_path_factory.mktemp("keys")
    a_command("migrate", environment=own_environment(folder, sandbox="1"), folder=folder)
    return folder


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("service", "given", "said"),
    [
        *(
            (name, ANOTHER_KEY, "is none of the keys known here")
            for name in ("dispatcher", "listener", "up", "migrate")
        ),
        ("web", ANOTHER_KEY, "is none of the keys known here"),
        ("web", {"secret_key_command": "echo Error: the vault is sealed"}, "is none of the keys known here"),
        ("web", {"secret_key_command": "false"}, "COMPANION_SECRET_KEY_COMMAND failed (it ended with status 1)"),
        ("web", {"secret_key_file": "{folder}/none"}, "COMPANION_SECRET_KEY_FILE"),
        ("web", {"secret_key_file": "{folder}/empty"}, "COMPANION_SECRET_KEY_FILE"),
    ],
)
def test_a_service_does_not_start_with_a_key_that_is_not_the_datas(
    folder: Path, service: str, given: dict[str, str], said: str
) -> None:
    (folder / "empty").touch()
    own = {name: value.format(folder=folder) for name, value in given.items()}
    environment = own_environment(folder, sandbox="1", port=str(a_free_port()), **own)

    done = a_command(service, environment=environment, folder=folder)

    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    assert "another key" not in done.stderr
    assert "the vault" not in done.stderr
