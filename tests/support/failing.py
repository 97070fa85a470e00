"""A database that fails in the middle of an act. For tests that commit: an outer transaction would be broken by it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection


@contextmanager
def failing_after(statements: int) -> Iterator[None]:
    """Let this number of SQL statements pass, and make all later statements fail as if the connection were lost."""
    passed = 0

    def count(
        execute: Callable[..., object], sql: str, params: object, many: bool, context: dict[str, object]
    ) -> object:
        nonlocal passed
        passed += 1
        if passed > statements:
            raise OperationalError(f"server closed the connection unexpectedly: {sql} {params}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        yield
