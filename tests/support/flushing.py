"""The flush after a test that commits, for a database whose audit trail can't be emptied.

Only here the rule is lifted, within the flush's own transaction. What the product does is refused in the tests too.
"""

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from companion.clinics import append_only

_Flush = Callable[..., list[str]]


def allow(connection: BaseDatabaseWrapper) -> None:
    """Let this connection's flushes empty the audit trail."""
    own: _Flush = connection.ops.sql_flush

    def flush(*args: Any, **options: Any) -> list[str]:  # Django's own arguments, passed on as they came
        statements = own(*args, **options)
        if not statements or append_only.TABLE not in connection.introspection.table_names():
            return statements
        if connection.vendor == "postgresql":
            return ["SET LOCAL session_replication_role = replica", *statements]
        return [*append_only.statements_to_drop(), *statements, *append_only.statements_to_make()]

    connection.ops.sql_flush = flush  # type: ignore[method-assign]  # of this one connection
