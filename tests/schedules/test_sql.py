"""Named statements on their way to the database."""

import pytest
from django.db import connection

from companion.clinics.ids import new_id
from companion.delivery import store
from companion.schedules import sql
from tests.support.threads import in_thread

pytestmark = pytest.mark.django_db


def test_a_percent_sign_is_written_twice_and_is_no_placeholder() -> None:
    assert sql.run("SELECT '100%%s', CAST(%s AS integer)", (7,)) == [("100%s", 7)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans as it likes")
def test_a_hot_statement_is_planned_once() -> None:
    def plans_after_two() -> list[sql.Row]:
        sql.go_by_indexes()
        for _ in range(2):
            store.next_ready(new_id())
        return sql.run(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s", ("%min(%",)
        )

    assert in_thread(plans_after_two) == [(2, 0)]
