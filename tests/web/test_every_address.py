"""Every page, for every role: who may, who may not, and that nothing moves for those who may not.

The pages are read from the URL configuration, their roles from needed_roles.py.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import pytest
from django.test import Client
from django.urls import get_resolver

from companion.clinics import operators
from companion.clinics.models import Role
from tests.builders import NOW, a_clinic
from tests.furnished import contents, furnished
from tests.web.needed_roles import NEEDED
from tests.web.routes import routes
from tests.web.signed_in import name_of, nobody, read, signed_in

pytestmark = pytest.mark.django_db

ROLES: Final = (Role.VIEWER, Role.PROVIDER, Role.ADMIN)
_PARAMETER: Final = re.compile(r"<\w+:(\w+)>")


def asked(*words: str) -> Iterator[tuple[str, str, str]]:
    """Yield method, address and needed role, for those whose role is one of these words."""
    for address, needed in NEEDED.items():
        for method, role in (("GET", needed.get), ("POST", needed.post)):
            if role in words:
                yield method, address, role


def filled(address: str, ids: Mapping[str, object]) -> str:
    """Fill the address with these ids, and with anything where no row is named."""
    return _PARAMETER.sub(lambda found: str(ids.get(found[1], "arrived")), address)


def status(client: Client, method: str, address: str) -> int:
    typed = "text=Hello&role=admin"
    return read(client.generic(method, address, typed, "application/x-www-form-urlencoded")).status_code


def test_every_address_has_its_needed_role() -> None:
    pages = {route for route in routes(get_resolver().url_patterns) if not route.startswith("/api/")}

    assert pages == set(NEEDED)


def test_strangers_are_led_to_the_sign_in_and_change_nothing() -> None:
    rows, stranger = furnished(), Client()
    before = contents()

    let_in = {}
    for method, address, _ in asked("member", "operator", *ROLES):
        answer = stranger.generic(method, filled(address, rows.ids))
        if not (answer.status_code == 302 and answer["Location"].startswith(("/accounts/login/", "/accounts/reauth"))):
            let_in[f"{method} {address}"] = answer.status_code

    # Programs read it: it answers as the API does.
    assert let_in == {"GET /metrics": 401}
    assert contents() == before


@pytest.mark.parametrize("role", [Role.VIEWER, Role.PROVIDER])
def test_a_role_below_is_refused_and_changes_nothing(role: Role) -> None:
    rows = furnished()
    member = signed_in(rows.clinic, role)
    before = contents()

    above = list(asked(*ROLES[ROLES.index(role) + 1 :]))
    let_in = {
        f"{method} {address}": answered
        for method, address, _ in above
        if (answered := status(member, method, filled(address, rows.ids))) != 403
    }

    assert len(above) > 25
    assert let_in == {}
    assert contents() == before


@pytest.mark.parametrize("role", ROLES)
def test_the_needed_role_is_enough(role: Role) -> None:
    member = signed_in(a_clinic(), role)
    nothing = {name: nobody() for name in furnished().ids} | {"telegram_id": 1, "pk": 0}

    refused = {
        f"{method} {address}"
        for method, address, _ in asked(role)
        if status(member, method, filled(address, nothing)) in (401, 403, 405)
    }

    assert refused == set()


def test_an_address_takes_no_other_method() -> None:
    rows = furnished()
    admin = signed_in(rows.clinic, Role.ADMIN)
    before = contents()

    taken = {}
    for address, needed in NEEDED.items():
        others = [method for method, role in (("GET", needed.get), ("POST", needed.post)) if role == "-"]
        # allauth's own pages take PUT for POST, and the first address only leads on.
        others += [] if address.startswith(("/accounts/", "/^")) or address == "/" else ["PUT", "PATCH", "DELETE"]
        for method in others:
            if (answered := status(admin, method, filled(address, rows.ids))) != 405:
                taken[f"{method} {address}"] = answered

    assert taken == {}
    assert contents() == before


def test_a_closed_address_is_unknown() -> None:
    clients = [Client(), signed_in(a_clinic(), Role.ADMIN)]

    answers = {
        status(client, method, filled(address, {})) for method, address, _ in asked("nowhere") for client in clients
    }

    assert answers == {404}


def test_operators_pages_are_nowhere_for_all_others() -> None:
    admin, operator = (signed_in(a_clinic(), Role.ADMIN) for _ in range(2))
    operator.force_login(operators.add(name_of(operator), now=NOW).user)
    pages = list(asked("operator"))

    answers = [(status(admin, method, address), status(operator, method, address)) for method, address, _ in pages]

    assert answers == [(404, 200)] * len(pages)


def test_no_address_opens_anything_of_another_clinic() -> None:
    theirs, admin = furnished(), signed_in(a_clinic(), Role.ADMIN)
    before = contents()

    answers = {}
    for method, address, _ in asked("member", *ROLES):
        names = set(_PARAMETER.findall(address))
        if names & set(theirs.ids):
            answers[f"{method} {address}"] = status(admin, method, filled(address, theirs.ids))

    assert len(answers) > 60
    # Another member's draft looks like a draft that is gone.
    opened = {asked for asked, answered in answers.items() if answered != 404}
    assert opened == {"POST /scheduled-messages/drafts/<uuid:key>/discard"}
    assert contents() == before


def test_these_tests_know_every_id_in_an_address() -> None:
    rows = furnished().ids

    unknown = {
        name for address in NEEDED for kind, name in re.findall(r"<(\w+):(\w+)>", address) if kind in ("uuid", "int")
    } - set(rows)

    assert unknown == set()


def test_no_form_reaches_another_clinics_rows() -> None:
    theirs, admin = furnished(), signed_in(a_clinic(), Role.ADMIN)
    row = theirs.ids
    patient, message = row["patient_id"], row["message_id"]
    forms: dict[str, list[dict[str, object]]] = {
        "/scheduled-messages/many": [{"do": "cancel", "id": message}, {"do": "retry", "id": row["unknown"]}],
        "/scheduled-messages/undo": [{"message": message}, {"schedule": row["schedule_id"]}],
        "/scheduled-messages/new": [{"to": "patients", "patients": patient}, {"to": "cohort", "cohort": row["cohort"]}],
        "/patients/many": [
            *({"do": do, "id": patient} for do in ("pause", "resume", "invite", "cohort")),
            {"do": "pause", "cohort": row["cohort"]},
            {"do": "cohort", "cohort": row["cohort"]},
        ],
        "/patients/cards": [{"cohort": row["cohort"]}, {"id": patient}],
        "/clinic": [{"clinic": theirs.clinic.id}],
        "/accounts/sessions/end": [{"session": row["key"]}],
    }
    before = contents()

    answers = {
        f"{address} {sorted(form)}": admin.post(address, form).status_code
        for address, sent in forms.items()
        for form in sent
    }

    assert {asked: answered for asked, answered in answers.items() if answered not in (404, 422)} == {}
    assert contents() == before
