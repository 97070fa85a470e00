"""All checks of the Control Panel and of `companion doctor`, with values, and what to do if something is wrong.

The first four groups are the steps of troubleshooting: services, database, Telegram IDs, network. The checks
themselves are in the files checks_*.py.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from django.db import Error

from companion.clinics.models import Clinic
from companion.panel import (
    checks_alerts,
    checks_encryption,
    checks_inside,
    checks_outside,
    checks_sign_in,
    checks_ways,
)
from companion.panel.check import CheckResult, Group, failed

__all__ = ["CheckResult", "run"]

_INSIDE: Final = (
    (Group.SERVICES, checks_inside.services),
    (Group.DATABASE, checks_inside.database),
    (Group.TELEGRAM_IDS, checks_inside.telegram_ids),
    (Group.CONFIGURATION, checks_inside.configuration),
    (Group.CONFIGURATION, checks_encryption.encryption),
    (Group.CONFIGURATION, checks_sign_in.second_step),
    (Group.CONFIGURATION, checks_alerts.alerts),
    (Group.CONFIGURATION, checks_alerts.called_webhooks),
)


def run(clinic: Clinic | None = None, *, now: dt.datetime) -> list[CheckResult]:
    """Run all checks, for one clinic or for all clinics. This takes some seconds if something is down."""
    results: list[CheckResult] = []
    for group, check in _INSIDE:
        results += _safely(group, partial(check, clinic, now=now))
    results += _safely(Group.NETWORK, partial(checks_outside.network, clinic, now=now))
    results += _safely(Group.NETWORK, partial(checks_ways.ways, clinic, now=now))
    results += _safely(Group.NETWORK, partial(checks_alerts.mail_server, clinic, now=now))
    results += checks_outside.machine(now=now)
    order = list(Group)
    return sorted(results, key=lambda result: order.index(Group(result.group)))


def _safely(group: Group, check: Callable[[], Iterable[CheckResult]]) -> list[CheckResult]:
    """The results of a check, up to the point at which the database failed."""
    results: list[CheckResult] = []
    try:
        results.extend(check())
    except Error:
        advice = "The database can't be asked, or its schema is not up to date: look at the checks of the database."
        results.append(failed(group, "Not all could be checked", "no answer from the database", advice))
    return results
