"""An audit trail with some acts in it, and what somebody with the database's password could do to it."""

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from click.testing import CliRunner, Result
from django.db import connection, transaction

from companion.cli.audit import audit
from companion.clinics import chain, clinics
from companion.clinics.chain import Head
from companion.clinics.models import AuditEntry, Clinic, Role
from tests.builders import NOW, a_caller
from tests.support import flushing


def act(clinic: Clinic, name: str = "Linden") -> None:
    """Somebody gives the clinic a name."""
    clinics.change_clinic(a_caller(clinic, Role.ADMIN), {"name": name}, now=NOW)


def a_trail(clinic: Clinic, acts: int) -> list[AuditEntry]:
    """The chained entries of so many acts."""
    for number in range(acts):
        act(clinic, f"Name {number}")
    chain.catch_up(clinic.pk)
    return list(AuditEntry.objects.filter(clinic=clinic).order_by("number"))


def the_head(clinic: Clinic) -> Head:
    """The newest entry, once all entries are chained."""
    chain.catch_up(clinic.pk)
    head = chain.head(clinic.pk)
    assert head
    return head


def verify(*words: str) -> Result:
    """`companion audit verify`."""
    return CliRunner().invoke(audit, ["verify", *words])


def sql(statement: str, *values: uuid.UUID | dt.datetime | int | str | None) -> None:
    """A statement of raw SQL, as from a terminal of the database."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [_stored(value) for value in values])


def _stored(value: uuid.UUID | dt.datetime | int | str | None) -> uuid.UUID | dt.datetime | int | str | None:
    """An id as the database keeps it."""
    return value.hex if isinstance(value, uuid.UUID) and connection.vendor != "postgresql" else value


@contextmanager
def rule_lifted() -> Iterator[None]:
    """The owner of the database takes the triggers away, and makes them again when done."""
    with transaction.atomic():
        makes = flushing.holding(connection.vendor)
        for statement in flushing.lifting(connection.vendor):
            sql(statement)
        yield
        for statement in makes:
            sql(statement)
