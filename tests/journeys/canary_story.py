"""A story with failures, in which canaries stand in all fields: real processes, and what is kept of every answer."""

import contextlib
import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.timezone import now as present

from companion.clinics.api_keys import make_key
from companion.clinics.models import Clinic, Role
from companion.panel import outside_heartbeat
from companion.service.models import Heartbeat
from companion.webhooks import webhooks
from companion.webhooks.models import Kind
from tests.builders import a_bot, a_caller, a_clinic, a_member
from tests.journeys.canaries import c
from tests.restoring.places import PASSPHRASE, Place
from tests.support.receivers import Hook, MailBox, a_mail_server
from tests.support.receivers import a_program as a_receiver
from tests.support.services import a_free_port, a_service, eventually
from tests.support.stand_in import StandIn, stand_in

TOKEN = f"700000077:{'A' * 20}{c('token')}{'A' * 10}"
CHAT = 5_222_000_001
CONTACTS = {"phone": "+49 30 7770001", "chat": str(CHAT), "birth date": "1957-03-14"}
"""A patient's numbers, in the clear in the database, and nowhere but there and in the Journal."""


@dataclass
class Story:
    """The house in which it happens, and what is kept of every answer."""

    port: int
    key: str
    folder: Path
    place: Place
    clinic: Clinic
    telegram: StandIn
    series: str = ""
    """The id of the series with a button."""
    heads: list[bytes] = field(default_factory=list)
    """The status lines and headers of all answers, and the bodies of errors of the server."""
    secrets: dict[str, str] = field(default_factory=dict)
    """Secrets that the product made itself."""

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, object]]:
        """A request of the program with the key; the answer's body where it is JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        own = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        given = own | {name.replace("_", "-"): value for name, value in headers.items()}
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(line):
            line.request(method, path, sent, given)
            answer = line.getresponse()
            read = answer.read()
        self.heads.append(f"{answer.status} {answer.reason} {answer.headers}".encode())
        if answer.status >= 500:
            self.heads.append(read)
        is_json = "json" in (answer.headers["Content-Type"] or "")
        return answer.status, json.loads(read) if is_json else {}

    def api(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, object]]:
        """Ask for a path below the API's address."""
        return self.call(method, f"/api/scheduler{path}", body, **headers)


@contextmanager
def a_story(
    environment: dict[str, str], folder: Path
) -> "Iterator[tuple[Story, MailBox, Hook, dict[str, subprocess.Popen[bytes]]]]":
    clinic = a_clinic(urgent_words=["emergency"], urgent_phone="+49 30 112")
    a_bot(clinic, token=TOKEN, telegram_id=700000077)
    a_member(clinic, Role.ADMIN, "nora@clinic.example")
    _, secret = make_key(clinic, "canaries", Role.ADMIN, now=present())
    with ExitStack() as stack:
        telegram = stack.enter_context(stand_in())
        mailbox, hook = stack.enter_context(a_mail_server()), stack.enter_context(a_receiver())
        hook.status = 500
        address = f"{hook.url}/{c('hook')}?t={c('hook')}"
        _, signing = webhooks.add(a_caller(clinic, Role.ADMIN), address, Kind.values, now=present())
        outside_heartbeat.set_url(a_caller(clinic, Role.ADMIN), f"{hook.url}/{c('beat')}", now=present())
        port = a_free_port()
        own = environment | {
            "COMPANION_PORT": str(port),
            "COMPANION_TELEGRAM_API_URL": telegram.url,
            "COMPANION_SMTP_URL": mailbox.url,
            "COMPANION_LOG_LEVEL": "debug",
            "COMPANION_JOURNAL_DIR": str(folder / "journal"),
            "COMPANION_BACKUP_PASSPHRASE": PASSPHRASE,
            "COMPANION_WEBHOOK_PRIVATE_NETWORKS": "1",
            "COMPANION_FHIR_PRIVATE_NETWORKS": "1",
        }
        services = {
            name: stack.enter_context(a_service(name, own, folder=folder)) for name in ("web", "listener", "dispatcher")
        }
        story = Story(port, secret, folder, Place(own, folder), clinic, telegram)
        eventually(lambda: _answers(story), "the web service")
        eventually(lambda: Heartbeat.objects.count() == len(services), "all services")
        story.secrets |= {
            "signing": signing,
            "API key": secret,
            "secret key": environment["COMPANION_SECRET_KEY"],
            "passphrase": PASSPHRASE,
        }
        yield story, mailbox, hook, services


def _answers(story: Story) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return story.call("GET", "/healthz")[0] == 200
    return False
