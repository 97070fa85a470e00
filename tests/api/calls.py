"""A program that calls the API with a key through Django's test client, and the bodies that tests start from."""

import datetime as dt
import json
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from django.test import Client

from companion.clinics.api_keys import make_key
from companion.clinics.models import Clinic, Role
from companion.patients.models import Patient

ROOT: Final = "/api/scheduler"
PROBLEM: Final = "application/problem+json"
_numbers: Final = count(1)

Json = Any  # a test reads it key by key


@dataclass(frozen=True)
class Answer:
    """An answer: its status, its headers, and its JSON, if it has any."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Json:
        return json.loads(self.text)

    @property
    def media_type(self) -> str:
        return self.headers.get("Content-Type", "").partition(";")[0]

    @property
    def wrong_fields(self) -> list[str]:
        return [error["field"] for error in self.json["errors"]]


@dataclass(frozen=True)
class Program:
    """A program with a key. Paths begin below ROOT; whole paths begin with /api or /metrics."""

    key: str

    def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        raw: bytes | None = None,
        media_type: str = "application/json",
        key: str | None = None,
        if_match: str | None = None,
    ) -> Answer:
        """Call the API. `key` is the Idempotency-Key."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= {} if key is None else {"Idempotency-Key": key}
        headers |= {} if if_match is None else {"If-Match": if_match}
        whole = path if path.startswith(("/api", "/metrics")) else f"{ROOT}{path}"
        response = Client(headers=headers).generic(method, whole, content, content_type=media_type)
        return Answer(response.status_code, dict(response.items()), response.content.decode())

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def pages(self, path: str) -> list[list[Json]]:
        """The items of a list, page by page, until there is no next page."""
        page = self.get(path).json
        pages = [page["items"]]
        while page["next"]:
            page = self.get(f"{path}{'&' if '?' in path else '?'}cursor={page['next']}").json
            pages.append(page["items"])
        return pages

    def post(self, path: str, body: Json = None, *, key: str | None = None, if_match: str | None = None) -> Answer:
        return self.call("POST", path, body, key=key, if_match=if_match)

    def patch(self, path: str, body: Json = None, *, if_match: str | None = None) -> Answer:
        return self.call("PATCH", path, body, if_match=if_match)


def a_program(clinic: Clinic, role: Role = Role.PROVIDER) -> Program:
    """A program of this clinic with a key of this role."""
    _, secret = make_key(clinic, f"program {next(_numbers)}", role, now=dt.datetime.now(dt.UTC))
    return Program(secret)


NOBODY: Final = Program("")
"""A program without a key."""


def a_daily_schedule(patient: Patient, **fields: Json) -> dict[str, Json]:
    """The body of a daily schedule that begins years from now."""
    values = {
        "patients": [str(patient.id)],
        "text": "Good morning {first_name}.",
        "starts_at": "2035-12-01T09:00",
        "timezone": "Europe/Berlin",
        "recurrence": {"frequency": "daily"},
    }
    return values | fields
