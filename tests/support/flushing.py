"""The flush after a test that commits: quick, and for a database whose audit trail can't be emptied.

The rule of the trail is lifted here alone, within the transaction of the flush. It holds for the product in tests, too.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.signals import post_migrate

from companion.clinics import append_only

_Flush = Callable[..., list[str]]
_SMALL: Final = 128 * 1024
"""The size of a table in bytes up to which DELETE is faster than TRUNCATE, which makes a new file for each index."""


def allow(connection: BaseDatabaseWrapper) -> None:
    """Let flushes of this kind of database empty the audit trail, by any connection.

    Beside Playwright's loop Django makes another connection.
    """
    operations = type(connection.ops)
    own: _Flush = operations.sql_flush

    def flush(self: BaseDatabaseOperations, style: object, tables: Sequence[str], **options: Any) -> list[str]:
        here = self.connection
        statements = own(self, style, tables, **options)
        if not statements or append_only.TABLE not in here.introspection.table_names():
            return statements
        if here.vendor == "postgresql":
            statements = _small_ones_by_delete(tables, *statements)
        return [*lifting(here.vendor), *statements, *holding(here.vendor)]

    operations.sql_flush = flush  # type: ignore[method-assign]  # of the test run's own process


def make_no_permissions() -> None:
    """Let no flush make Django's permissions anew, which took most of its time. The product has roles of its own."""
    post_migrate.disconnect(dispatch_uid=create_permissions.__module__ + ".create_permissions")
    post_migrate.disconnect(create_contenttypes)


def _small_ones_by_delete(tables: Sequence[str], truncate: str) -> list[str]:
    """Return statements that empty PostgreSQL's tables by DELETE, or by `truncate` if a table has grown.

    The locks wait, as TRUNCATE does, for transactions of processes that a test has killed. As on a replica, no foreign
    key is checked, so the order of the tables doesn't matter.
    """
    largest = f"SELECT max(pg_relation_size(name::regclass)) FROM unnest(ARRAY{[*tables]}) AS name"
    deletes = "; ".join(f"DELETE FROM {table}" for table in tables)
    return [
        f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE",
        "SET LOCAL session_replication_role = replica",
        f"DO $$ BEGIN IF ({largest}) > {_SMALL} THEN {truncate} ELSE {deletes}; END IF; END $$",
    ]


def lifting(vendor: str) -> list[str]:
    """The statements by which the database's owner lifts the rule."""
    if vendor == "postgresql":
        return [f"ALTER TABLE {append_only.TABLE} DISABLE TRIGGER USER"]
    return append_only.statements_to_drop()


def holding(vendor: str) -> list[str]:
    """The statements that put the rule in force again."""
    if vendor == "postgresql":
        names = ("audit_append_only", "audit_never_emptied")
        return [f"ALTER TABLE {append_only.TABLE} ENABLE ALWAYS TRIGGER {name}" for name in names]
    return append_only.statements_to_make()
