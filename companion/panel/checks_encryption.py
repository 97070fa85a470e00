"""The check that connections to other machines are encrypted, and that their certificates are checked.

It reads only settings. Connections to Telegram, to sign-in services and of webhooks are always of this kind.
"""

import datetime as dt
import os
from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.db import connection

from companion.clinics.models import Clinic
from companion.clinics.sealed import CannotOpen
from companion.panel.check import CheckResult, Group, ok, warning
from companion.patients.sources import configuration
from companion.patients.sources.models import PatientSource
from companion.service import verified

_NAME: Final = "Encrypted connections"
_ADVICE: Final = (
    "Others on the network may read or change what passes. PostgreSQL: sslmode=verify-full and sslrootcert in the "
    "address. MariaDB and MySQL: ssl_ca. Mail: smtps:// or smtp:// without tls=no. FHIR and the Bot API: https."
)


def encryption(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Name the connections to other machines that are in the open, or whose certificates nobody checks."""
    unsafe = [*_of_the_server(), *_of_sources(clinic)]
    if unsafe:
        yield warning(Group.CONFIGURATION, _NAME, f"not to {', '.join(unsafe)}", _ADVICE)
    else:
        yield ok(Group.CONFIGURATION, _NAME, "each connection to another machine is verified")


def _of_the_server() -> Iterator[str]:
    own, database = settings.COMPANION, connection.settings_dict
    if connection.vendor == "postgresql" and not verified.postgresql(
        str(database["HOST"]), database["OPTIONS"], os.environ
    ):
        yield "the database"
    mail = own.mail_server
    if not (verified.is_here(mail.host) or mail.tls_at_once or mail.starttls):
        yield "the mail server"
    if not verified.address(own.bot_api_url):
        yield "the Bot API"


def _of_sources(clinic: Clinic | None) -> Iterator[str]:
    rows = PatientSource.objects.select_related("clinic").defer("settings").order_by("clinic__slug")
    for row in rows.filter(clinic=clinic) if clinic else rows:
        try:
            if not configuration.is_safe(row):
                yield f"the patient source of {row.clinic.slug}"
        except CannotOpen:
            # The check of the secret key says it.
            continue
