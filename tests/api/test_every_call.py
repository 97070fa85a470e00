"""Every call of the API, for every role: who may, who may not, and that nothing moves for those who may not.

The calls are read from the description, their roles from needed_roles.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest
from django.test import Client
from django.urls import get_resolver

from companion.api.urls import api as described_api
from companion.clinics.models import Role
from tests.api.calls import NOBODY, PROBLEM, Json, a_program
from tests.api.needed_roles import NEEDED
from tests.builders import a_clinic, a_member
from tests.furnished import contents, furnished
from tests.web.routes import routes

pytestmark = pytest.mark.django_db

ROLES: Final = (Role.VIEWER, Role.PROVIDER, Role.ADMIN)
_KINDS: Final = {
    "messages": "message_id",
    "schedules": "schedule_id",
    "patients": "patient_id",
    "cohorts": "cohort",
    "inbox": "conversation_id",
    "enrolment-notes": "note_id",
    "sync-runs": "run_id",
    "patient-sources": "source",
    "unknown": "unknown",
    "media": "media_id",
}
"""The name of a row's id in `Furnished.ids`, by the word before it in an address."""
_NAMED: Final = {"patient": "patient_id", "patients": "patient_id", "cohort": "cohort", "member": "member_id"}
"""The name of a row's id in `Furnished.ids`, by the name of a field of the body that names rows."""
PATHS: Final[Json] = json.loads(json.dumps(described_api.get_openapi_schema()))["paths"]


def asked(*words: str) -> Iterator[tuple[str, str]]:
    """Yield method and path of the calls whose role is one of these words."""
    return ((method, path) for (method, path), role in NEEDED.items() if role in words)


def filled(method: str, path: str, ids: Mapping[str, object]) -> str:
    """Fill the path, and the parameters that it must have, with these ids."""
    row = str(ids[_KINDS[path.partition("/{id}")[0].rpartition("/")[2]]]) if "{id}" in path else ""
    described = PATHS[path][method.lower()].get("parameters", [])
    needed = [parameter["name"] for parameter in described if parameter["in"] == "query" and parameter["required"]]
    query = "&".join(f"{name}={row}" for name in needed)
    return f"{path.replace('{id}', row).replace('{occurrence}', '2035-12-02T09:00')}{'?' if query else ''}{query}"


def body_of(method: str, path: str, ids: Mapping[str, object]) -> Json:
    """The example's body, with these ids in place of its own."""
    content = PATHS[path][method.lower()].get("requestBody", {}).get("content", {}).get("application/json", {})
    body = content.get("example")
    if isinstance(body, dict):
        for name in body.keys() & _NAMED.keys():
            own = str(ids[_NAMED[name]])
            body = body | {name: [own] if isinstance(body[name], list) else own}
    return body


def names_rows(method: str, path: str) -> bool:
    """Return whether the call's path or body names a row."""
    some, others = (dict.fromkeys(_NAMED.values(), word) for word in ("some", "others"))
    return "{id}" in path or body_of(method, path, some) != body_of(method, path, others)


def test_every_call_has_its_needed_role() -> None:
    described = {
        (method.upper(), path): call.get("x-role", "open")
        for path, calls in PATHS.items()
        for method, call in calls.items()
    }

    assert described == NEEDED


def test_strangers_are_told_to_sign_in_and_change_nothing() -> None:
    rows = furnished().ids
    before = contents()

    answers = {
        f"{method} {path}": answer.status
        for method, path in asked(*ROLES)
        if (answer := NOBODY.call(method, filled(method, path, rows), body_of(method, path, rows))).status != 401
    }

    assert answers == {}
    assert contents() == before


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PROVIDER])
def test_a_role_below_is_refused_and_changes_nothing(role: Role) -> None:
    """Make each call by key and by session."""
    rows = furnished()
    program = a_program(rows.clinic, role)
    browser = Client()
    browser.force_login(a_member(rows.clinic, role).user, backend="allauth.account.auth_backends.AuthenticationBackend")
    before = contents()

    above = list(asked(*ROLES[ROLES.index(role) + 1 :]))
    let_in = {}
    for method, path in above:
        address, body = filled(method, path, rows.ids), body_of(method, path, rows.ids)
        answer = program.call(method, address, body)
        by_session = browser.generic(method, address, json.dumps(body), "application/json").status_code
        if (answer.status, answer.media_type, by_session) != (403, PROBLEM, 403):
            let_in[f"{method} {path}"] = (answer.status, answer.media_type, by_session)

    assert len(above) > 8
    assert let_in == {}
    assert contents() == before


@pytest.mark.parametrize("role", ROLES)
def test_the_needed_role_is_enough(role: Role) -> None:
    program, theirs = a_program(a_clinic(), role), furnished().ids

    refused = {
        f"{method} {path}"
        for method, path in asked(role)
        if program.call(method, filled(method, path, theirs), body_of(method, path, theirs)).status in (401, 403, 405)
    }

    assert refused == set()


def test_no_call_reaches_a_row_of_another_clinic() -> None:
    theirs, admin = furnished().ids, a_program(furnished().clinic, Role.ADMIN)
    before = contents()

    answers = {
        f"{method} {path}": admin.call(method, filled(method, path, theirs), body_of(method, path, theirs)).status
        for method, path in asked(*ROLES)
        if names_rows(method, path)
    }

    # A row that only the body names may also be a wrong value.
    reached = {asked for asked, answered in answers.items() if answered != 404 and ("{id}" in asked or answered != 422)}
    assert len(answers) > 40
    assert reached == set()
    assert contents() == before


def test_no_row_of_ours_takes_a_row_of_another_clinic() -> None:
    ours, theirs = furnished(), furnished().ids
    admin = a_program(ours.clinic, Role.ADMIN)
    before = contents()

    answers = {}
    for method, path in asked(*ROLES):
        body = body_of(method, path, theirs)
        if "{id}" in path and body != body_of(method, path, ours.ids):
            answers[f"{method} {path}"] = admin.call(method, filled(method, path, ours.ids), body).status

    assert answers
    assert {asked: answered for asked, answered in answers.items() if answered not in (404, 422)} == {}
    assert contents() == before


def test_a_path_takes_no_method_that_is_not_described() -> None:
    rows = furnished()
    admin = a_program(rows.clinic, Role.ADMIN)
    before = contents()

    taken = {}
    for path, calls in PATHS.items():
        known = next(iter(calls)).upper()
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {method.upper() for method in calls}:
            if (answer := admin.call(method, filled(known, path, rows.ids))).status != 405:
                taken[f"{method} {path}"] = answer.status

    assert taken == {}
    assert contents() == before


def test_every_address_of_the_api_is_described() -> None:
    found = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", address) for address in routes(get_resolver().url_patterns)}

    own = {"/api/scheduler/openapi.json", "/api/scheduler/docs", "/api/"}
    assert {address for address in found if address.startswith("/api/")} - own == set(PATHS)
