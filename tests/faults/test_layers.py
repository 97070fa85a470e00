"""Health's three layers with real processes: each lost, alone and together; which layer reports it; and the alerts."""

import datetime as dt
import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db.models import F
from django.utils.timezone import now as present

from companion.clinics.models import Clinic, Role
from companion.panel import health
from companion.panel.models import Alert
from companion.service.models import Heartbeat, Kind
from companion.service.wake import ring
from tests.builders import a_member, a_message, a_patient
from tests.support import session
from tests.support.database_proxy import Door, a_door_before
from tests.support.receivers import Hook, MailBox, a_mail_server, a_program
from tests.support.services import a_free_port, a_service, eventually, stop
from tests.support.stand_in import StandIn
from tests.webhooks.stories import a_webhook

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Only PostgreSQL can stop and start under running processes; the browser's test kills services on SQLite.
    pytest.mark.skipif(not session.on_postgresql(), reason="PostgreSQL's"),
]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of GET /api/scheduler/health."""

    code: int
    status: str
    source: str
    detail: str
    layers: dict[str, str]


def ask(port: int) -> Told | None:
    """Ask the port for its health; None while nobody answers there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/api/scheduler/health")
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except OSError:
        return None
    finally:
        connection.close()
    layers = {layer["layer"]: layer["status"] for layer in said["layers"]}
    return Told(answer.status, said["status"], said["source"], said["detail"], layers)


def until(port: int, status: str, source: str, cause: str = "") -> Told:
    """Wait until health reports this."""
    seen: list[Told | None] = []
    pause = threading.Event()

    def so() -> bool:
        # More often would tell nothing new: an answer is kept for two seconds.
        pause.wait(0.2)
        seen.append(ask(port))
        told = seen[-1]
        return told is not None and (told.status, told.source) == (status, source) and cause in told.detail

    try:
        eventually(so)
    except AssertionError as late:
        raise AssertionError(f"not {status} by {source}: {seen[-1]}") from late
    assert seen[-1]
    return seen[-1]


def due(clinic: Clinic, *, seconds: float = 0) -> None:
    at = present() - dt.timedelta(seconds=seconds)
    a_message(a_patient(clinic), due_at=at, ready_at=at, late_at=at + dt.timedelta(hours=1))
    ring()


def fifteen_seconds_pass(kind: Kind) -> None:
    """Let processes beat that are dead already: only a beat could tell the difference."""
    Heartbeat.objects.filter(kind=kind).update(beat_at=F("beat_at") - dt.timedelta(seconds=20))


def told(mailbox: MailBox, hook: Hook) -> tuple[int, int]:
    """Count how often e-mails and webhooks reported that the dispatcher is gone.

    What else was wrong for a while may have been told as well.
    """
    subjects = [" ".join(str(mail["Subject"]).split()) for mail in mailbox.mails]
    causes = [json.loads(body)["data"].get("cause") for _, body in hook.posts]
    return sum("No dispatcher is running" in subject for subject in subjects), causes.count("dispatcher_missing")


@dataclass(frozen=True, slots=True)
class Installation:
    """The running services, the proxy before their database, and the port of the pages."""

    port: int
    door: Door
    web: "subprocess.Popen[bytes]"
    dispatcher: "subprocess.Popen[bytes]"


@contextmanager
def an_installation(environment: dict[str, str], telegram: StandIn, mailbox: MailBox) -> Iterator[Installation]:
    port = a_free_port()
    with a_door_before(environment["COMPANION_DATABASE_URL"]) as door:
        own = environment | {
            "COMPANION_PORT": str(port),
            "COMPANION_TELEGRAM_API_URL": telegram.url,
            "COMPANION_DATABASE_URL": door.url,
            "COMPANION_SMTP_URL": mailbox.url,
        }
        with a_service("web", own) as web, a_service("listener", own), a_service("dispatcher", own) as dispatcher:
            yield Installation(port, door, web, dispatcher)


def test_if_a_layer_is_lost_the_next_one_reports_it_and_all_come_back(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    with a_mail_server() as mailbox, a_program() as hook:
        a_member(clinic, Role.ADMIN)
        a_webhook(clinic, hook)
        with an_installation(product_environment, telegram, mailbox) as installation:
            until(installation.port, "ok", "direct")

            _the_clocks_differ(installation, telegram, clinic)
            _the_dispatcher_is_frozen(installation)
            _the_database_is_gone(installation)
            _the_dispatcher_is_killed_with_a_message_overdue(installation, clinic)

            # Two services look; one of them alerts, once by each way, when the problem has lasted for 20 seconds.
            eventually(lambda: Alert.objects.filter(cause="dispatcher_missing", status="down").exists())
            Alert.objects.filter(cause="dispatcher_missing").update(opened_at=F("opened_at") - dt.timedelta(seconds=20))
            eventually(lambda: all(told(mailbox, hook)), "an e-mail and a call of the webhook")

            # Kill the web service, too: a command then judges by the database alone.
            stop(installation.web, signal.SIGKILL)
            health.forget()
            assert health.check_from_outside_now().source == "database"
        assert told(mailbox, hook) == (1, 1)


def _the_clocks_differ(installation: Installation, telegram: StandIn, clinic: Clinic) -> None:
    """Set Telegram's clock ahead of ours: the dispatcher reports it, and sends again by itself."""
    telegram.ahead = 180
    due(clinic)
    until(installation.port, "degraded", "direct", "clock_off")
    telegram.ahead = 0
    until(installation.port, "ok", "direct")


def _the_dispatcher_is_frozen(installation: Installation) -> None:
    """Stop its beats and its answers."""
    os.kill(installation.dispatcher.pid, signal.SIGSTOP)
    frozen = until(installation.port, "degraded", "mcp")
    assert frozen.layers["direct"] == "no answer"
    os.kill(installation.dispatcher.pid, signal.SIGCONT)
    until(installation.port, "ok", "direct")


def _the_database_is_gone(installation: Installation) -> None:
    """Freeze the database, then shut it: the dispatcher still answers, but health doesn't call that sending."""
    installation.door.freeze()
    assert until(installation.port, "down", "direct", "database_gone").code == 503
    installation.door.shut()
    assert until(installation.port, "down", "direct").layers["database"] == "no answer"
    # Freeze the dispatcher, too: only the process that is asked is left.
    os.kill(installation.dispatcher.pid, signal.SIGSTOP)
    assert set(until(installation.port, "down", "database").layers.values()) == {"no answer"}
    os.kill(installation.dispatcher.pid, signal.SIGCONT)
    installation.door.reopen()
    until(installation.port, "ok", "direct")


def _the_dispatcher_is_killed_with_a_message_overdue(installation: Installation, clinic: Clinic) -> None:
    stop(installation.dispatcher, signal.SIGKILL)
    fifteen_seconds_pass(Kind.DISPATCHER)
    due(clinic, seconds=31)
    until(installation.port, "down", "mcp", "dispatcher_missing")
    health.forget()
    assert health.check_from_outside_now().source == "mcp"
