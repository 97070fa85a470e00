"""The acts of the story with canaries: all that could show a name, a text or a secret in a wrong place."""

import datetime as dt
import http.client
import io
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pyrage
from aiohttp import web
from django.db import connection
from django.utils.timezone import now as present

from companion.listener.models import Reply
from companion.patients.models import Patient
from companion.schedules.models import Attempt, Message
from companion.service.models import Heartbeat
from tests.journeys.canaries import c, found_in
from tests.journeys.canary_story import CHAT, CONTACTS, TOKEN, Story
from tests.restoring.places import PASSPHRASE
from tests.support import session
from tests.support.database_files import bytes_on_disk
from tests.support.receivers import Hook, MailBox, served
from tests.support.services import eventually
from tests.support.stand_in import Arrival, refusal

_STRANGE_ON_SQLITE = [
    "CREATE TRIGGER strange BEFORE INSERT ON patients_patient BEGIN SELECT json('{' || NEW.name); END",
]
_STRANGE_ON_POSTGRESQL = [
    "CREATE FUNCTION strange() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'strange: %', NEW USING DETAIL = NEW.name; END $$",
    "CREATE TRIGGER strange BEFORE INSERT ON patients_patient FOR EACH ROW EXECUTE FUNCTION strange()",
]


def people_and_plans(story: Story) -> str:
    """A patient with a canary in each field, a series with buttons, an invitation, a draft's words."""
    body = {
        "external_id": c("external"), "name": f"{c('name')} Zoë", "caregiver": c("caregiver"),
        "telegram_id": CHAT, "phone": CONTACTS["phone"], "birth_date": CONTACTS["birth date"], "cohorts": [c("cohort")],
    }  # fmt: skip
    status, patient = story.api("POST", "/patients", body, Idempotency_Key=c("idempotency"))
    assert status == 201, patient
    Patient.objects.filter(pk=str(patient["id"])).update(consent="given", paused_reason=c("paused"))
    plan = {
        "patients": [patient["id"]], "text": f"Hello {{first_name}} {c('series')}", "starts_at": "2035-12-01T09:00",
        "timezone": "patient", "recurrence": {"frequency": "daily"}, "buttons": [{"text": c("button")}],
    }  # fmt: skip
    status, made = story.api("POST", "/schedules", plan)
    assert status == 201, made
    story.series = str(made["id"])
    status, invited = story.api("POST", f"/patients/{patient['id']}/enrolment")
    story.secrets["invitation"] = str(invited["link"]).rpartition("=")[2]
    return str(patient["id"])


def telegram_quotes_the_text(story: Story, patient: str) -> None:
    """A final error that quotes the message, and an answer that is no JSON."""

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


def an_answer_is_tapped(story: Story, patient: str) -> None:
    """A message of the series is sent, and its button is tapped."""
    first = f"/schedules/{story.series}/occurrences/2035-12-01T09:00/detach"
    status, detached = story.api("POST", first, {"patient": patient})
    assert status == 200, detached
    items = detached["items"]
    assert isinstance(items, list)
    status, sent = story.api("POST", f"/messages/{items[0]['id']}/send-now", {})
    assert status == 200, sent
    eventually(lambda: Message.objects.get(pk=items[0]["id"]).status == "sent", "the question")
    story.telegram.tap(CHAT, c("button"))
    eventually(lambda: Message.objects.filter(follow_kind="shown", status="sent").exists(), "the answer in its place")
    assert story.telegram.edits


def data_is_handed_over(story: Story, patient: str) -> None:
    """Files with all that is known, asked for in each form, and an erasure by a wrong name."""
    message = Message.objects.filter(clinic=story.clinic).latest("id")
    paths = [f"/patients/{patient}/export?format={form}" for form in ("json", "html", "zip")]
    for path in (*paths, f"/messages/{message.pk}/evidence", f"/patients/{patient}/conversation", "/inbox"):
        status, _ = story.api("GET", path)
        assert status == 200, path
    assert story.api("POST", f"/patients/{patient}/erase", {"name": c("body")})[0] == 422
    until = (present() + dt.timedelta(hours=1)).isoformat()
    status, begun = story.call("POST", "/api/mcp/maintenance", {"until": until, "reason": c("maintenance")})
    assert status == 200, begun


def the_patient_writes(story: Story) -> None:
    """Words, a call for help, and updates that can't be read."""
    story.telegram.hear(CHAT, c("reply"))
    story.telegram.hear(CHAT, f"emergency {c('urgent')}")
    last = story.telegram.hear(CHAT, "x")
    story.telegram.incoming[-1]["message"] = {"text": [c("reply")], "chat": c("name")}
    eventually(lambda: story.telegram.is_confirmed(last), "the updates")
    assert Reply.objects.filter(clinic=story.clinic).count() >= 2


def the_database_quotes_a_row(story: Story) -> None:
    """A database that refuses a patient and quotes the row: a crash in a view, and a crash in a command."""
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


def wrong_requests(story: Story) -> None:
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


def a_wrong_file_and_a_wrong_source(story: Story) -> None:
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

    with served(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


def alerts_leave(story: Story, mailbox: MailBox, hook: Hook) -> None:
    """The call for help is reported by e-mail, and all events by a webhook, which is out of order at first."""
    eventually(lambda: hook.posts and hook.gets and mailbox.mails, "events and heartbeats by all ways")


def metrics_of(story: Story) -> bytes:
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


def a_backup(story: Story) -> bytes:
    """The content of a backup, opened without the secret key."""
    file = story.folder / "backup.age"
    story.place.run("backup", str(file))
    opened = zipfile.ZipFile(io.BytesIO(pyrage.passphrase.decrypt(file.read_bytes(), PASSPHRASE)))
    return b"".join(opened.read(name) for name in opened.namelist())


def commands_say(story: Story) -> bytes:
    smtp = f"smtp://ana:{c('smtp')}@127.0.0.1:1"
    told = [
        story.place.tried("doctor", "--json", smtp_url=smtp, telegram_bot_token=TOKEN),
        story.place.tried("doctor", smtp_url=f"ftp://{c('smtp')}"),
    ]
    return "".join(run.stdout + run.stderr for run in told).encode()


def stop(services: "dict[str, subprocess.Popen[bytes]]") -> list[str]:
    for process in services.values():
        process.terminate()
    for process in services.values():
        process.wait(60)
    return list(services)


def raw_database() -> bytes:
    """The database as it lies on the disk, or all that its tables hold."""
    if not session.on_postgresql():
        return bytes_on_disk()
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = []
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [row for (row,) in cursor.fetchall()]
    return "\n".join(rows).encode()
