"""The list of patients goes by its indexes, so that it costs the same at a hundred thousand patients: asked of the
database's own planner. The statements are caught as the product executes them.
"""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from companion.clinics.models import Clinic
from companion.patients import queries
from companion.patients.models import Cohort, CohortMember, Patient
from companion.patients.reach import Why
from tests.builders import NOW, a_clinic, a_cohort

pytestmark = pytest.mark.django_db
_PATIENTS = 3_000


@pytest.fixture(scope="module")
def clinic(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Clinic]:
    """Make a clinic with three thousand patients; a few of them can't be reached."""
    with django_db_blocker.unblock():
        clinic = a_clinic()
        people = Patient.objects.bulk_create(_patient(clinic, number) for number in range(_PATIENTS))
        a_cohort(clinic, "Heart", *people[:50])
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("ANALYZE patients_patient")
        yield clinic
        for model in (CohortMember, Cohort, Patient):
            model._default_manager.filter(clinic=clinic).delete()
        clinic.delete()


def _patient(clinic: Clinic, number: int) -> Patient:
    name = f"Ana No{number:05}"
    return Patient(
        clinic=clinic, external_id=f"P-{number}", name=name, search=f"{name} p-{number}".lower(), created_at=NOW,
        timezone="Europe/Berlin", telegram_id=None if number % 100 == 1 else 5_000_000_000 + number,
        trouble="blocked" if number % 100 == 2 else "", consent="withdrawn" if number % 100 == 3 else "given",
        consent_asked_at=NOW if number % 100 == 4 else None, left_at=NOW if number % 100 == 5 else None,
    )  # fmt: skip


def plan_of(act: Callable[[], object]) -> str:
    """Return how the first of its statements on patients was carried out."""
    caught: list[tuple[str, object]] = []

    def catch(
        execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
    ) -> object:
        if sql.startswith("SELECT") and "patients_patient" in sql:
            caught.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(catch):
        act()
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The planner may rightly read so small a table whole. Ask here what it does with a large table.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{explain} {caught[0][0]}", caught[0][1])  # type: ignore[arg-type]  # as they were caught
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def sorts(plan: str) -> bool:
    return "TEMP B-TREE FOR ORDER BY" in plan or "Sort Key" in plan


@pytest.mark.parametrize(
    ("why", "index"),
    [
        (None, "patients_by_name_searched"),
        (Why.NO_TELEGRAM_ID, "patients_without_telegram"),
        (Why.BLOCKED, "patients_in_trouble"),
        (Why.CHAT_NOT_FOUND, "patients_in_trouble"),
        (Why.OPTED_OUT, "patients_opted_out"),
        (Why.NOT_ANSWERED, "patients_asked"),
        (Why.LEFT, "patients_who_left"),
    ],
)
def test_the_list_and_each_of_its_filters_goes_by_an_index_in_the_list_s_order(
    clinic: Clinic, why: Why | None, index: str
) -> None:
    plan = plan_of(lambda: queries.page(queries.patients(clinic, why=why), None, 50))

    # PostgreSQL knows how few have none, and may as well take them out of the index of all chats and sort them.
    by_chat = why is Why.NO_TELEGRAM_ID and "patients_of_a_chat" in plan
    assert by_chat or (index in plan and not sorts(plan))


@pytest.mark.skipif(connection.vendor == "postgresql", reason="there it reads the table, in 40 ms of 100,000 patients")
def test_a_search_looks_through_an_index_alone(clinic: Clinic) -> None:
    plan = plan_of(lambda: queries.page(queries.patients(clinic, q="no02999"), None, 50))

    assert "patients_by_name_searched" in plan
    assert not sorts(plan)


def test_the_page_after_another_begins_where_that_one_ended(clinic: Clinic) -> None:
    found = queries.patients(clinic)
    after = queries.page(found, None, 50).next

    plan = plan_of(lambda: queries.page(found, after, 50))

    assert "patients_by_name_searched" in plan
    assert "name>?" in plan or "name)::text >=" in plan
