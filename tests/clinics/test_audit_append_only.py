"""The audit trail in the database: nobody changes or removes an entry."""

import pytest
from django.db import DatabaseError, connection, transaction

from companion.clinics import append_only, chain
from companion.clinics.models import AuditEntry, Clinic
from tests.builders import a_clinic
from tests.clinics.trails import a_trail, act, sql

pytestmark = pytest.mark.django_db


@pytest.fixture
def clinic() -> Clinic:
    return a_clinic()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE clinics_auditentry SET action = 'nothing happened'",
        "UPDATE clinics_auditentry SET number = number + 1",
        "UPDATE clinics_auditentry SET hash = ''",
        "UPDATE clinics_auditentry SET number = NULL",
        "DELETE FROM clinics_auditentry",
    ],
)
def test_an_entry_is_neither_changed_nor_removed(clinic: Clinic, statement: str) -> None:
    before = a_trail(clinic, 2)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(statement)

    assert list(AuditEntry.objects.order_by("number")) == before


def test_an_entry_that_waits_for_its_place_is_not_changed_with_it(clinic: Clinic) -> None:
    act(clinic)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql("UPDATE clinics_auditentry SET number = 1, action = 'nothing happened'")


@pytest.mark.skipif(connection.vendor == "postgresql", reason="SQLite's own way to replace a row")
def test_an_entry_is_not_replaced(clinic: Clinic) -> None:
    a_trail(clinic, 1)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql("INSERT OR REPLACE INTO clinics_auditentry SELECT * FROM clinics_auditentry")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
def test_the_table_is_not_emptied(clinic: Clinic) -> None:
    a_trail(clinic, 1)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql("TRUNCATE clinics_auditentry")


def test_the_trail_outlives_its_clinic(clinic: Clinic) -> None:
    a_trail(clinic, 2)

    Clinic.objects.filter(pk=clinic.pk).delete()

    assert AuditEntry.objects.count() == 2


def test_a_trail_goes_on_after_the_rule_was_looked_at(clinic: Clinic) -> None:
    held = append_only.is_held()

    act(clinic)
    chain.catch_up(clinic.pk)

    assert held
    assert AuditEntry.objects.get().number == 1
