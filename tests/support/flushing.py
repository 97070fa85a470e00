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
_FEW_BYTES: Final = 128 * 1024
"""A table of this size or less is emptied faster by DELETE than by TRUNCATE, which makes new files for each index."""


def allow(connection: BaseDatabaseWrapper) -> None:
    """Let flushes of this kind of database empty the audit trail, by any connection.

    Beside Playwright's loop Django makes another connection.
    """
    operations = type(connection.ops)
    own: _Flush = operations.sql_flush

    def flush(self: BaseDatabaseOperations, style: object, tables: Sequence[str], **options: Any) -> list[str]:
        here = self.connection
        if here.vendor == "postgresql" and (statements := _deletes(here, tables)):
            return statements
        return _unruled(here, own(self, style, tables, **options))

    operations.sql_flush = flush  # type: ignore[method-assign]  # of the test run's own process


def make_no_permissions() -> None:
    """Let no flush make Django's permissions anew, which took most of its time. The product has roles of its own."""
    post_migrate.disconnect(dispatch_uid=create_permissions.__module__ + ".create_permissions")
    post_migrate.disconnect(create_contenttypes)


def _deletes(connection: BaseDatabaseWrapper, tables: Sequence[str]) -> list[str]:
    """Return the statements that empty the tables of PostgreSQL that hold rows; none if a table has grown."""
    asked = " UNION ALL ".join(
        f"SELECT '{table}', pg_relation_size('{table}'), EXISTS (SELECT FROM {table})" for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(asked)
        found = cursor.fetchall()
    if any(size > _FEW_BYTES for _, size, _ in found):
        return []
    deletes = [f"DELETE FROM {table}" for table, _, holds_rows in found if holds_rows]
    # As on a replica, no foreign key is checked, so the order of the tables doesn't matter.
    return _unruled(connection, ["SET LOCAL session_replication_role = replica", *deletes])


def _unruled(connection: BaseDatabaseWrapper, statements: list[str]) -> list[str]:
    """Return the statements with the trail's rule lifted around them, if they touch the trail."""
    if not any(append_only.TABLE in statement for statement in statements):
        return statements
    return [*lifting(connection.vendor), *statements, *holding(connection.vendor)]


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
