"""Checks of the audit trail that are fast: whether the database protects it, also from the services' own role, and
whether its entries are chained.

`companion audit verify` checks the entries themselves (trail_check.py).
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from django.db import connection

from companion.clinics import append_only, chain
from companion.clinics.models import Clinic
from companion.panel.check import CheckResult, Group, failed, ok, warning

_CHAINED_WITHIN: Final = dt.timedelta(minutes=1)
"""Services chain within ten seconds."""

_OUR_ROLE: Final = """
    SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
        (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass)
"""


def trail(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check that the database's rule is in force, and that no entry waits too long for its place in the chain."""
    yield _protected(clinic)
    if clinic is None and connection.vendor == "postgresql":
        # The names of the database's users are the operator's matter.
        yield _role()
    yield _chained(clinic, now)


def _protected(clinic: Clinic | None) -> CheckResult:
    name = "Audit trail append-only"
    if gone := append_only.missing():
        advice = "Run `companion audit verify`: somebody may have changed entries. `companion migrate` brings it back."
        return failed(Group.DATABASE, name, "not in force" if clinic else ", ".join(gone), advice)
    if strange := append_only.strange():
        advice = "It could keep entries out. Find out who made it, drop it, and run `companion audit verify`."
        return failed(Group.DATABASE, name, f"the table has {', '.join(strange)}, which is not ours", advice)
    return ok(Group.DATABASE, name, "the database refuses changes")


def _role() -> CheckResult:
    name = "Database's user"
    with connection.cursor() as cursor:
        cursor.execute(_OUR_ROLE, [append_only.TABLE])
        role, is_superuser, is_owner = cursor.fetchone()
    if is_superuser:
        advice = "A superuser may do everything on the database's server. Give the services a user of their own."
        return warning(Group.DATABASE, name, f"{role} is a superuser", advice)
    owns = "owns the tables" if is_owner else "doesn't own the tables"
    return ok(Group.DATABASE, name, f"{role}, who {owns}")


def _chained(clinic: Clinic | None, now: dt.datetime) -> CheckResult:
    name = "Audit trail chained"
    late = chain.late(clinic.pk if clinic else None, before=now - _CHAINED_WITHIN)
    if not late:
        return ok(Group.DATABASE, name, "no entry waits")
    advice = (
        "An entry that waits could be removed without a gap. Start a service, or run `companion audit verify`, which "
        "chains them and names entries that are not ours. If they go on waiting, somebody holds a lock on the table."
    )
    return warning(Group.DATABASE, name, f"waiting entries: {late:,}", advice)
