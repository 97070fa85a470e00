"""The doors through which a byte can leave to an outside address, and where each of them is shut in a drill.

A new door fails the first test until it stands in this list, with a test that shows it shut.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from pytest_django import Settings

import companion
from companion.clinics.models import Role
from companion.clinics.refusals import Conflict
from companion.listener import media
from companion.listener.media import FileUnavailable
from companion.listener.models import Media
from companion.panel import message_numbers
from companion.panel.models import AlertContact
from tests.builders import NOW, a_bot, a_clinic, a_member
from tests.support.stand_in import stand_in

_ROOT: Final = Path(companion.__file__).parent
_OPENERS: Final = {
    "aiohappyeyeballs",
    "companion.clinics.bot_api.bot_api_client",
    "companion.clinics.provider_calls.Calls",
    "companion.telegram.client.Client",
    "companion.service.addresses.connected",
    "companion.service.addresses",
    "django.core.mail",
    "ftplib",
    "http.client",
    "requests",
    "smtplib",
    "socket.create_connection",
    "sqlalchemy",
    "telnetlib",
    "urllib.request",
}
"""All functions that open a connection, by their full names."""
_SHUT: Final = {
    "clinics/bots.py": "ask_username refuses",
    "dispatch/service.py": "bots.serving names no bot",
    "listener/service.py": "bots.serving names no bot",
    "listener/media.py": "fetched refuses",
    "panel/bot_checks.py": "runs in the monitor, which does not start",
    "panel/checks_outside.py": "asks no bot",
    "panel/checks_ways.py": "opens no tunnel, and settings.py reads no providers",
    "panel/message_numbers.py": "admin_of refuses",
    "service/mailing.py": "send refuses",
    "web/account/id_token.py": "settings.py reads no providers",
    "clinics/provider_calls.py": "settings.py reads no providers",
    "webhooks/calling.py": "Receiver refuses",
    "patients/sources/fhir_source.py": "configuration.opened refuses",
    "patients/sources/sql_source.py": "configuration.opened refuses",
}
"""The doors to outside addresses, each with what shuts it."""
_PARTS: Final = {
    "clinics/bot_api.py",
    "config/environment.py",
    "service/addresses.py",
    "telegram/pool.py",
    "telegram/proxy.py",
}
"""Parts of these doors, which open nothing by themselves."""
_INSIDE: Final = {"cli/up.py", "panel/direct.py"}
"""Ask only this installation's own services."""


def openers_in(path: Path) -> set[str]:
    """The openers that a module imports or names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
    return {name for name in found if name in _OPENERS or name.partition(".")[0] in _OPENERS}


def makes_a_client(path: Path) -> bool:
    """Return whether a module makes a client of Telegram, and doesn't only name its type."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return any(isinstance(call, ast.Name) and call.id == "Client" for call in calls)


def is_a_door(path: Path) -> bool:
    openers = openers_in(path)
    return bool(openers - {"companion.telegram.client.Client"}) or (bool(openers) and makes_a_client(path))


def test_every_door_to_the_outside_is_known_and_shut_in_a_drill() -> None:
    doors = {str(path.relative_to(_ROOT)) for path in _ROOT.rglob("*.py") if is_a_door(path)}

    assert doors == _SHUT.keys() | _PARTS | _INSIDE


@pytest.mark.django_db
def test_no_file_is_fetched_from_telegram_in_a_drill(settings: Settings) -> None:
    clinic = a_clinic()
    bot = a_bot(clinic)
    file = Media(clinic=clinic, kind="photo", bot=bot.telegram_id, file_id="1", came_at=NOW)
    settings.DRILL = True

    with stand_in() as telegram, pytest.raises(FileUnavailable, match="drill"):
        media.fetched(file, now=NOW)

    assert telegram.asked == []


@pytest.mark.django_db
def test_no_number_is_probed_in_a_drill(settings: Settings) -> None:
    clinic = a_clinic()
    AlertContact.objects.create(clinic=clinic, member=a_member(clinic, Role.ADMIN), telegram_id=5_800_000_001)
    settings.DRILL = True

    with pytest.raises(Conflict, match="drill"):
        message_numbers.admin_of(clinic, None)


@pytest.mark.parametrize(("drill", "expected"), [("0", "['linden']"), ("1", "[]")])
def test_no_sign_in_service_is_asked_in_a_drill(tmp_path: Path, drill: str, expected: str) -> None:
    file = tmp_path / "oidc.toml"
    file.write_text(
        '[linden]\nname = "Linden"\nissuer = "https://id.linden.example"\nclient_id = "companion"\n'
        'client_secret = "s"\n[linden.groups]\nnurses = "viewer"\n'
    )
    own = {"COMPANION_OIDC_FILE": str(file), "COMPANION_DRILL": drill, "COMPANION_DATA_DIR": str(tmp_path)}
    code = "from companion.config import settings; print(list(settings.OIDC_PROVIDERS))"

    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | own, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == expected
