"""The ledger's own connection on PostgreSQL."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from companion.clinics.keys import new_id
from companion.schedules import queue, sql

pytestmark = pytest.mark.django_db


def on_a_ledger_s_connection(act: Callable[[], object]) -> None:
    """Carries it out in a thread with a connection as the ledger's."""

    def run() -> None:
        sql.go_by_indexes()
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_a_hot_statement_is_planned_once() -> None:
    found: list[tuple[object, ...]] = []

    def twice() -> None:
        for _ in range(2):
            queue.next_ready(new_id())
        found.extend(
            sql.run(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s", ("%min(%",)
            )
        )

    on_a_ledger_s_connection(twice)

    assert found == [(2, 0)]
