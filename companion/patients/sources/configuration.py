"""A clinic's source of patients: set it, remove it, ask for a sync, open it for reading.

Files and databases can be set only by the command line. On a page, an admin of one clinic could name our own tables,
which contain the patients of other clinics.
"""

import datetime as dt
import json
import tomllib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from django.db import transaction

from companion.clinics import audit
from companion.clinics.access import Caller
from companion.clinics.models import Clinic, Role
from companion.clinics.refusals import Conflict, Problem, Refused, Unknown
from companion.patients.sources import fhir_source, sql_source
from companion.patients.sources.csv_source import CsvSource
from companion.patients.sources.fhir_source import FhirSource
from companion.patients.sources.models import PatientSource, SourceKind
from companion.patients.sources.source import Source
from companion.patients.sources.sql_source import SqlSource
from companion.service import drill, verified
from companion.times import walls

HOURLY: Final = dt.timedelta(hours=1)
SHORTEST: Final = dt.timedelta(minutes=5)
LONGEST: Final = dt.timedelta(days=7)


def set_csv(caller: Caller, path: Path, *, now: dt.datetime, every: dt.timedelta = HOURLY) -> PatientSource:
    """Set a CSV file that another program rewrites. Raises Refused if the file is missing, and NotAllowed."""
    if not path.is_file():
        raise Refused(Problem("path", "There is no such file."))
    return _set(caller, SourceKind.CSV, {"path": str(path.resolve())}, every=every, now=now)


def set_sql(caller: Caller, url: str, mapping: str, *, now: dt.datetime, every: dt.timedelta = HOURLY) -> PatientSource:
    """Set a database by its SQLAlchemy URL, with the text of its TOML mapping. Raises Refused, and NotAllowed."""
    try:
        read = tomllib.loads(mapping)
    except tomllib.TOMLDecodeError as error:
        raise Refused(Problem("mapping", f"The mapping file isn't valid TOML: {error}.")) from None
    except (ValueError, RecursionError):
        raise Refused(Problem("mapping", "The mapping file has a number or a nesting that can't be read.")) from None
    sql_source.read_settings(url, read)
    return _set(caller, SourceKind.SQL, {"url": url, "mapping": read}, every=every, now=now)


def set_fhir(
    caller: Caller,
    url: str,
    token: str,
    *,
    identifier_system: str = "",
    telegram: str = "",
    now: dt.datetime,
    every: dt.timedelta = HOURLY,
    anywhere: bool = False,
) -> PatientSource:
    """Set a FHIR R4 server. Private networks need the server operator's consent, `anywhere`. Raises Refused, and
    NotAllowed.
    """
    fhir_source.read_settings(url, token, identifier_system, telegram, anywhere)
    values: dict[str, object] = {"url": url, "token": token, "identifier_system": identifier_system}
    values |= {"telegram": telegram, "anywhere": anywhere}
    return _set(caller, SourceKind.FHIR, values, every=every, now=now)


def remove(caller: Caller, *, now: dt.datetime, id: uuid.UUID | None = None) -> None:
    """Remove the source; its patients and reports stay. `id`: remove it only if it still has this id.

    Raises NotAllowed, and Conflict if there is no such source.
    """
    caller.needs(Role.ADMIN)
    own = PatientSource.objects.filter(clinic=caller.clinic, **({"pk": id} if id else {}))
    with transaction.atomic():
        changes = audit.differences(_audited(own.defer("settings").first()), {})
        removed, _ = own.delete()
        if not removed:
            raise Conflict("This source was already removed.")
        audit.record(caller, "patient source removed", "clinic", caller.clinic.id, now=now, changes=changes)


def ask_for_sync(caller: Caller, *, now: dt.datetime) -> PatientSource:
    """Ask the listener service for a sync within seconds. Raises Conflict if there is no source, and NotAllowed."""
    caller.needs(Role.PROVIDER)
    with transaction.atomic():
        if not PatientSource.objects.filter(clinic=caller.clinic).update(next_at=now):
            raise Conflict("No source of patients is set. An admin sets one.")
        audit.record(caller, "sync asked for", "clinic", caller.clinic.id, now=now, changes=audit.NO_VALUE)
    return PatientSource.objects.get(clinic=caller.clinic)


def of_clinic(clinic: Clinic) -> PatientSource | None:
    """The clinic's source. A clinic has at most one, since two sources would overwrite each other's values."""
    return PatientSource.objects.filter(clinic=clinic).first()


def named(clinic: Clinic, id: uuid.UUID) -> PatientSource:
    """The clinic's source of this id. Raises Unknown."""
    found = of_clinic(clinic)
    if found is None or found.pk != id:
        raise Unknown("There is no such source.")
    return found


def shown_address(row: PatientSource) -> str:
    """The source's address for people, without password, token or folder."""
    values = json.loads(row.settings)
    match SourceKind(row.kind):
        case SourceKind.CSV:
            return Path(values["path"]).name
        case SourceKind.SQL:
            return sql_source.shown_address(values["url"])
        case SourceKind.FHIR:
            return str(values["url"])


def is_safe(row: PatientSource) -> bool:
    """Return whether the source is on this machine, or its connection is encrypted and checked. Raises CannotOpen."""
    values = json.loads(row.settings)
    match SourceKind(row.kind):
        case SourceKind.CSV:
            return True
        case SourceKind.SQL:
            return sql_source.is_safe(values["url"])
        case SourceKind.FHIR:
            return verified.address(values["url"])


def is_working(row: PatientSource, *, now: dt.datetime) -> bool:
    """Return whether a sync is running, or was asked for and is about to start."""
    return row.next_at <= now or (row.running_until is not None and row.running_until > now)


def opened(row: PatientSource, *, now: dt.datetime) -> Source:
    """Open the source for reading. Raises Refused if its settings are no longer right, and CannotOpen.

    Raises Conflict in a drill.
    """
    if drill.is_on():
        raise Conflict(drill.NOT_IN_A_DRILL)
    values = json.loads(row.settings)
    match SourceKind(row.kind):
        case SourceKind.CSV:
            return CsvSource(Path(values["path"]))
        case SourceKind.SQL:
            return SqlSource(sql_source.read_settings(values["url"], values["mapping"]))
        case SourceKind.FHIR:
            return FhirSource(fhir_source.read_settings(**values), now=walls.local(now, row.clinic.timezone))


def _set(
    caller: Caller, kind: SourceKind, values: Mapping[str, object], *, every: dt.timedelta, now: dt.datetime
) -> PatientSource:
    caller.needs(Role.ADMIN)
    if not SHORTEST <= every <= LONGEST:
        raise Refused(Problem("every_minutes", "Choose from five minutes to seven days."))
    given = {"kind": kind, "settings": json.dumps(values), "every": every, "next_at": now, "created_at": now}
    # A new source is first read whole, since it has its own time. A running sync of the old source must stop.
    anew: dict[str, object] = {"reached": "", "whole_at": None, "running_until": None}
    with transaction.atomic():
        # If two members set a source at the same moment, the second source replaces the first.
        Clinic.objects.select_for_update(no_key=True).get(pk=caller.clinic.pk)
        own = PatientSource.objects.filter(clinic=caller.clinic)
        was = _audited(own.defer("settings").first())
        own.delete()
        row = PatientSource.objects.create(clinic=caller.clinic, **given, **anew)
        changes = {**audit.differences(was, _audited(row)), "settings": audit.CHANGED}
        audit.record(caller, f"patient source set: {kind.value}", "patient source", row.id, now=now, changes=changes)
    return row


def _audited(row: PatientSource | None) -> dict[str, object]:
    """Return the values that the audit trail shows of a source. Its address is sealed with the settings."""
    return {} if row is None else {"kind": row.kind, "every": row.every}
