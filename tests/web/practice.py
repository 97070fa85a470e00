"""A clinic in the Sandbox whose patient sends files, for the tests of the files' pages."""

from dataclasses import dataclass

import pytest
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from companion.clinics import bots
from companion.clinics.models import Bot, Clinic, Role
from companion.listener import handling
from companion.listener.models import Conversation, Media
from companion.patients.models import Patient
from companion.sandbox import phone as phones
from companion.sandbox.models import FileKind, Phone, SandboxBot, SandboxUpdate
from companion.telegram.incoming import update_of
from tests.builders import NOW, a_clinic, a_patient
from tests.web.signed_in import signed_in

PNG = b"\x89PNG\r\n\x1a\n" + b"a" * 40


@dataclass(frozen=True)
class Practice:
    """A clinic with a bot of the Sandbox, and Ana with her phone."""

    clinic: Clinic
    bot: Bot
    sandbox: SandboxBot
    ana: Patient
    phone: Phone

    def sends(self, kind: FileKind, content: bytes = b"", name: str = "", caption: str = "") -> Media:
        """Send a file from Ana's phone, and let the listener read it."""
        phones.send_file(self.sandbox, self.phone, kind, content, name, caption)
        self.bot.refresh_from_db()
        incoming = update_of(SandboxUpdate.objects.latest("update_id").payload)
        assert incoming
        handling.handle(self.bot.id, incoming, offset=self.bot.next_update_id, now=NOW)
        return Media.objects.latest("id")

    def page(self) -> str:
        """Open the conversation in a provider's browser."""
        answer = signed_in(self.clinic).get(f"/inbox/{Conversation.objects.get().id}")
        return answer.content.decode()


@pytest.fixture
def practice(live_server: LiveServer, settings: Settings) -> Practice:
    settings.SANDBOX_ON = True
    settings.COMPANION = settings.COMPANION.model_copy(update={"telegram_api_url": f"{live_server.url}/sandbox"})
    clinic = a_clinic()
    token = phones.make_bot("Linden", "linden_bot")
    bot = bots.connect(clinic, token, "linden_bot", sandbox=True, now=NOW)
    sandbox = phones.bot_of(token)
    assert sandbox
    phone = phones.new_phone(sandbox, "Ana")
    phones.press_start(sandbox, phone)
    phone.refresh_from_db()
    return Practice(clinic, bot, sandbox, a_patient(clinic, telegram_id=phone.telegram_id), phone)


def opened(clinic: Clinic, file: Media, role: Role = Role.VIEWER) -> str:
    """Press the file's button, and return that part of the conversation."""
    answer = signed_in(clinic, role).get(f"/media/{file.id}/opened", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def body_of(client: Client, file: Media, **headers: str) -> tuple[int, bytes]:
    answer = client.get(f"/media/{file.id}", headers=headers)
    return answer.status_code, answer.getvalue()
