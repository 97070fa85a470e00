"""Names, words and secrets are found nowhere but in their own place: a story with failures, and real processes whose
every output is looked through.
"""

import base64
import contextlib
import http.client
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyrage
from aiohttp import web
from django.db import connection
from django.utils.timezone import now as present

from companion.clinics.api_keys import make_key
from companion.clinics.models import Clinic, Role
from companion.listener.models import Reply
from companion.panel.models import Notice
from companion.patients.models import Patient
from companion.schedules.models import Attempt, Message
from companion.service.models import Heartbeat
from companion.webhooks import webhooks
from companion.webhooks.models import Delivery, Kind
from tests.builders import a_bot, a_caller, a_clinic, a_member
from tests.journeys.canaries import CANARIES, SEALED, c, forms_of, found_below, found_in
from tests.restoring.places import Place
from tests.support import session
from tests.support.receivers import Hook, MailBox, a_mail_server
from tests.support.receivers import a_program as a_receiver
from tests.support.services import eventually
from tests.support.stand_in import Arrival, StandIn, refusal, stand_in

TOKEN = f"700000077:{'A' * 20}{c('token')}{'A' * 10}"
CHAT = 5_222_000_001
_STRANGE_ON_SQLITE = [
    "CREATE TRIGGER strange BEFORE INSERT ON patients_patient BEGIN SELECT json('{' || NEW.name); END",
]
_STRANGE_ON_POSTGRESQL = [
    "CREATE FUNCTION strange() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'strange: %', NEW USING DETAIL = NEW.name; END $$",
    "CREATE TRIGGER strange BEFORE INSERT ON patients_patient FOR EACH ROW EXECUTE FUNCTION strange()",
]
PASSPHRASE = "correct horse battery staple"


@dataclass
class Story:
    """The house in which it happens, and what is kept of every answer."""

    port: int
    key: str
    folder: Path
    place: Place
    clinic: Clinic
    telegram: StandIn
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


def test_a_canary_is_known_in_every_form() -> None:
    for canary in CANARIES.values():
        for text in (f"x{canary}y", f"xx{canary}", f"{canary}"):
            plain = text.encode()
            for form in (plain, plain.hex().encode(), base64.b64encode(plain), text.encode("utf-16-le"), plain.upper()):
                assert canary in {c(found) for found in found_in(form)}
    assert found_in(b"nothing of it") == set()
    assert all(len(form) > 8 for canary in CANARIES.values() for form in forms_of(canary))


def test_no_canary_is_found_anywhere_but_in_its_place(product_environment: dict[str, str], tmp_path: Path) -> None:
    with a_story(product_environment, tmp_path) as (story, mailbox, hook, services):
        patient = _people_and_plans(story)
        _telegram_quotes_the_text(story, patient)
        _the_patient_writes(story)
        _the_database_quotes_a_row(story)
        _wrong_requests(story)
        _a_wrong_file_and_a_wrong_source(story)
        _alerts_leave(story, mailbox, hook)
        metrics = _metrics(story)
        backup = _a_backup(story)
        said = _commands_say(story)
        stopped = _stop(services)

    logs = {name: (tmp_path / f"{name}.log").read_bytes() for name in stopped}
    assert all(len(log) > 200 for log in logs.values()), "the services logged"
    assert {name: found for name, log in logs.items() if (found := found_in(log, others=story.secrets))} == {}
    assert found_in(b"\n".join(story.heads), others=story.secrets) == set()
    assert found_in(said, others=story.secrets) == set()
    assert found_in(metrics, others=story.secrets) == set()
    assert found_in(b"".join(mail.as_bytes() for mail in mailbox.mails)) == set()
    assert mailbox.mails
    assert hook.posts
    posted = b"".join(repr(sorted(headers.items())).encode() + body for headers, body in hook.posts)
    assert found_in(posted, others=story.secrets) == set()
    assert found_in(backup, SEALED, story.secrets) == set()
    assert found_below(tmp_path / "journal") == {}
    assert found_in(repr([*Notice.objects.values(), *Delivery.objects.values()]).encode()) == set()
    assert found_in(repr(list(Heartbeat.objects.values_list("state", "health_url"))).encode()) == set()
    assert found_in(_raw_database(), SEALED, story.secrets) == set()


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
        port = _a_free_port()
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
            name: stack.enter_context(_logging(name, own, folder)) for name in ("web", "listener", "dispatcher")
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


@contextmanager
def _logging(name: str, environment: dict[str, str], folder: Path) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "companion.cli.main", name]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _people_and_plans(story: Story) -> str:
    """A patient with a canary in each field, a series with buttons, an invitation, a draft's words."""
    body = {
        "external_id": c("external"), "name": f"{c('name')} Zoë", "caregiver": c("caregiver"),
        "telegram_id": CHAT, "cohorts": [c("cohort")],
    }  # fmt: skip
    status, patient = story.api("POST", "/patients", body, Idempotency_Key=c("idempotency"))
    assert status == 201, patient
    Patient.objects.filter(pk=str(patient["id"])).update(consent="given", paused_reason=c("paused"))
    plan = {
        "patients": [patient["id"]], "text": f"Hello {{first_name}} {c('series')}", "starts_at": "2035-12-01T09:00",
        "timezone": "patient", "recurrence": {"frequency": "daily"}, "answers": [{"label": c("button")[:18]}],
    }  # fmt: skip
    status, made = story.api("POST", "/schedules", plan)
    if status == 422:
        status, made = story.api("POST", "/schedules", {key: plan[key] for key in plan if key != "answers"})
    assert status == 201, made
    status, invited = story.api("POST", f"/patients/{patient['id']}/enrolment")
    story.secrets["invitation"] = str(invited["link"]).rpartition("=")[2]
    return str(patient["id"])


def _telegram_quotes_the_text(story: Story, patient: str) -> None:
    """An error that quotes the message, for good; and one that is no JSON."""

    async def quotes(arrival: Arrival) -> web.StreamResponse:
        if "page" in arrival.text:
            return web.Response(status=502, text=f"<html>{arrival.text}</html>")
        return refusal(400, f"Bad Request: can't parse: {arrival.text} for {TOKEN}")

    story.telegram.answer = quotes
    for text in (f"Your result {c('note')}", f"Your page {c('note')}"):
        status, sent = story.api("POST", "/messages", {"patient": patient, "text": text})
        assert status == 201, sent
    eventually(lambda: Message.objects.filter(status="failed").count() == 2, "Telegram's refusals")
    assert c("note") in str(list(Attempt.objects.values_list("description", flat=True)))
    story.telegram.answer = None


def _the_patient_writes(story: Story) -> None:
    """Words, a call for help, and updates that can't be read."""
    story.telegram.hear(CHAT, c("reply"))
    story.telegram.hear(CHAT, f"emergency {c('urgent')}")
    last = story.telegram.hear(CHAT, "x")
    story.telegram.incoming[-1]["message"] = {"text": [c("reply")], "chat": c("name")}
    eventually(lambda: story.telegram.is_confirmed(last), "the updates")
    assert Reply.objects.filter(clinic=story.clinic).count() >= 2


def _the_database_quotes_a_row(story: Story) -> None:
    """A database that refuses a patient and quotes the row: a crash in a view, and one in a command."""
    with connection.cursor() as cursor:
        for statement in _STRANGE_ON_POSTGRESQL if session.on_postgresql() else _STRANGE_ON_SQLITE:
            cursor.execute(statement)
    status, _ = story.api("POST", "/patients", {"external_id": f"x{c('external')}", "name": f"{c('name')} B"})
    assert status == 500
    file = story.folder / "people.csv"
    file.write_text(f"external_id,name\n{c('external')}2,{c('name')} C\n")
    done = story.place.tried("patients", "import", str(file))
    assert done.returncode != 0
    assert found_in((done.stdout + done.stderr).encode()) == set()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER strange{' ON patients_patient' if session.on_postgresql() else ''}")


def _wrong_requests(story: Story) -> None:
    """Canaries in addresses, queries, bodies, headers and passwords that lead nowhere."""
    for path in (f"/patients?q={c('search')}", f"/nowhere/{c('path')}", f"/sign-in/{'0' * 8}/{c('signin')}"):
        story.call("GET", path)
    story.api("GET", f"/patients?q={c('search')}")
    story.api("GET", f"/messages?cursor={c('path')}")
    story.api("GET", "/patients", Authorization=f"Bearer ack_{c('key')}")
    for wrong in (f'{{"name": "{c("body")}"', f'["{c("body")}"]', f'{{"name": "{c("body")}\\u0000"}}', '"\\ud800"'):
        story.api("POST", "/patients", wrong.encode())
    story.api("POST", "/schedules", {"text": c("body"), "starts_at": c("body"), "timezone": c("body")})
    story.call("POST", "/accounts/login/", f"login=a@b.c&password={c('password')}".encode(), Content_Type="x/y")
    story.call("POST", f"/bot{TOKEN}/sendMessage", {"text": c("body")})
    story.call("POST", f"/sandbox/bot{TOKEN}/sendMessage", {"text": c("body")})
    story.call("GET", "/accounts/login/", Cookie=f"sessionid={c('key')}; messages={c('name')}", Referer=f"/{c('path')}")


def _a_wrong_file_and_a_wrong_source(story: Story) -> None:
    """Rows that are refused, and a FHIR server whose address and answer are secrets."""
    file = story.folder / "bad.csv"
    file.write_text(
        f"external_id,name,birth_date,telegram_id\n{c('csv')},{c('csv')},{c('csv')},{c('csv')}\n\0,{c('csv')}\n"
    )
    done = story.place.tried("patients", "import", str(file))
    assert "refused" in done.stdout
    assert found_in((done.stdout + done.stderr).encode()) == set()
    with _a_fhir_server() as port:
        address = f"http://{c('fhiruser')}:{c('fhiruser')}@127.0.0.1:{port}/{c('fhirpath')}"
        story.api("POST", "/patient-sources", {"kind": "fhir", "url": address, "token": c("fhirtoken")})
        plain = f"http://127.0.0.1:{port}/{c('fhirpath')}"
        status, made = story.api("POST", "/patient-sources", {"kind": "fhir", "url": plain, "token": c("fhirtoken")})
        assert status == 201, made
        done = story.place.tried("patients", "sync")
    assert found_in((done.stdout + done.stderr).encode()) == set()


@contextmanager
def _a_fhir_server() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/fhir+json")
            self.end_headers()
            self.wfile.write(f'{{"resourceType": "{c("fhiranswer")}", "entry": "{c("fhiranswer")}"}}'.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    import threading

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def _alerts_leave(story: Story, mailbox: MailBox, hook: Hook) -> None:
    """The call for help is told by e-mail, and whatever happened by a webhook, which is out of order at first."""
    eventually(lambda: hook.posts and mailbox.mails, "events by both ways")


def _metrics(story: Story) -> bytes:
    """The numbers of all services, and what health tells strangers."""
    urls = list(Heartbeat.objects.values_list("health_url", flat=True))
    read = []
    for port in [story.port, *(int(url.rstrip("/").rpartition(":")[2]) for url in urls)]:
        for path in ("/metrics", "/health", "/api/scheduler/health", "/healthz"):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            line.request("GET", path, headers={"Authorization": f"Bearer {story.key}"})
            answer = line.getresponse()
            read.append(str(answer.headers).encode() + answer.read())
            line.close()
    return b"".join(read)


def _a_backup(story: Story) -> bytes:
    """The content of a backup, opened without the secret key."""
    file = story.folder / "backup.age"
    story.place.run("backup", str(file))
    opened = zipfile.ZipFile(io.BytesIO(pyrage.passphrase.decrypt(file.read_bytes(), PASSPHRASE)))
    return b"".join(opened.read(name) for name in opened.namelist())


def _commands_say(story: Story) -> bytes:
    smtp = f"smtp://ana:{c('smtp')}@127.0.0.1:1"
    told = [
        story.place.tried("doctor", "--json", smtp_url=smtp, telegram_bot_token=TOKEN),
        story.place.tried("doctor", smtp_url=f"ftp://{c('smtp')}"),
    ]
    return "".join(one.stdout + one.stderr for one in told).encode()


def _stop(services: "dict[str, subprocess.Popen[bytes]]") -> list[str]:
    for process in services.values():
        process.terminate()
    for process in services.values():
        process.wait(60)
    return list(services)


def _raw_database() -> bytes:
    """The database as it lies on the disk, or all that its tables hold."""
    if not session.on_postgresql():
        path = Path(str(connection.settings_dict["NAME"]))
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = []
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows).encode()


def _answers(story: Story) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return story.call("GET", "/healthz")[0] == 200
    return False


def _a_free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
