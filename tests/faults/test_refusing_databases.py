"""A PostgreSQL that answers but refuses: read-only, no connections, a lock. Every service waits, then continues."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from companion.clinics.models import Clinic
from companion.panel.direct import Answer, ask
from companion.schedules.models import Message, Status
from companion.service.models import Heartbeat, Kind
from companion.service.supervise import GRACE_SECONDS
from companion.service.wake import ring
from tests.faults.drains import a_backlog, check, drained, fast
from tests.support import session
from tests.support.database_proxy import a_door_before
from tests.support.services import a_service, eventually
from tests.support.stand_in import StandIn

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not session.on_postgresql(), reason="PostgreSQL's"),
]
USER = f"clinic_{os.getpid()}"
Services = dict[Kind, "subprocess.Popen[bytes]"]


@contextmanager
def all_services(environment: dict[str, str]) -> Iterator[Services]:
    """Web, dispatcher and listener, from their first heartbeats on."""
    with ExitStack() as started:
        services = {kind: started.enter_context(a_service(kind.value, environment)) for kind in Kind}
        eventually(lambda: set(Heartbeat.objects.values_list("kind", flat=True)) == set(Kind))
        yield services


def says(kind: Kind) -> str:
    """The service's own words at its health port."""
    url = Heartbeat.objects.get(kind=kind).health_url
    said = ask(f"{url}/health", seconds=10)
    assert isinstance(said, Answer)
    return said.detail


def is_said(words: str, *, by: Kind) -> bool:
    return words in says(by)


def ends(services: Services) -> list[int]:
    """Tell all services to stop, and return their exit statuses. Fails after the time that `companion up` gives."""
    for process in services.values():
        process.terminate()
    until = time.monotonic() + GRACE_SECONDS
    return [process.wait(until - time.monotonic()) for process in services.values()]


def meet(statement: str) -> None:
    """Run the statement, and end all other connections, so that new connections meet the change."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@contextmanager
def a_user(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of services that log in as a user of their own, who is no superuser."""
    parts = urlsplit(environment["COMPANION_DATABASE_URL"])
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {USER} LOGIN IN ROLE CURRENT_USER")
        try:
            yield environment | {"COMPANION_DATABASE_URL": parts._replace(netloc=f"{USER}@").geturl()}
        finally:
            cursor.execute(f"DROP ROLE {USER}")


@contextmanager
def a_lock(table: str) -> Iterator[None]:
    """Another session that has the table for itself."""
    wanted = connection.get_connection_params()
    del wanted["cursor_factory"], wanted["context"]
    with psycopg.connect(**wanted | {"options": ""}) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


@pytest.mark.parametrize(
    ("change", "undo", "words"),
    [
        (
            f"ALTER ROLE {USER} SET default_transaction_read_only = on",
            f"ALTER ROLE {USER} RESET default_transaction_read_only",
            "the database is read-only",
        ),
        (f"ALTER ROLE {USER} CONNECTION LIMIT 0", f"ALTER ROLE {USER} CONNECTION LIMIT -1", "no more connections"),
        (f"ALTER ROLE {USER} NOLOGIN", f"ALTER ROLE {USER} LOGIN", "the database refuses our login"),
    ],
    ids=["read-only", "connections", "login"],
)
def test_a_database_that_refuses_ends_no_service_and_costs_no_message(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn, change: str, undo: str, words: str
) -> None:
    a_backlog(clinic, 60)
    with (
        a_user(product_environment) as environment,
        all_services(fast(environment, telegram) | {"COMPANION_PORT": "0"}) as services,
    ):
        eventually(lambda: len(telegram.arrivals) >= 10)
        meet(change)
        for kind in (Kind.DISPATCHER, Kind.LISTENER):
            eventually(partial(is_said, words, by=kind), f"{words}, said by the {kind}")
        meet(undo)
        drained(clinic)
        assert [kind for kind, process in services.items() if process.poll() is not None] == []

    assert check(clinic, telegram).failed == 0


def test_a_locked_table_is_named_and_a_stop_waits_for_no_lock(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    environment = fast(product_environment, telegram) | {"COMPANION_PORT": "0"}
    with all_services(environment) as services, a_lock("schedules_message"):
        eventually(lambda: "another session locks the database" in says(Kind.DISPATCHER))
        assert ends(services) == [0, 0, 0]


def test_a_stop_waits_for_no_database_that_gives_no_answer(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    with a_door_before(product_environment["COMPANION_DATABASE_URL"]) as door:
        own = fast(product_environment, telegram) | {"COMPANION_DATABASE_URL": door.url, "COMPANION_PORT": "0"}
        with all_services(own) as services:
            door.freeze()
            a_backlog(clinic, 1)
            ring()
            assert ends(services) == [0, 0, 0]


def test_services_that_start_before_their_database_wait_for_it(
    product_environment: dict[str, str], clinic: Clinic, telegram: StandIn
) -> None:
    (message,) = a_backlog(clinic, 1)
    with a_door_before(product_environment["COMPANION_DATABASE_URL"]) as door:
        door.shut()
        own = fast(product_environment, telegram) | {"COMPANION_DATABASE_URL": door.url}
        with a_service("dispatcher", own) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(3)
            assert process.poll() is None
            door.reopen()
            eventually(lambda: Message.objects.get(pk=message.pk).status == Status.SENT)
