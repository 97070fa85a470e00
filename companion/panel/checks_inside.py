"""Checks of the product's parts: services, database, patients' Telegram IDs, settings. They call no outside address."""

import datetime as dt
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Exists, OuterRef, QuerySet

from companion.clinics import bots
from companion.clinics.models import Bot, Clinic
from companion.clinics.sealed import CannotOpen
from companion.panel import checks_outside, checks_trail, facts, judge, python_holes
from companion.panel.check import CheckResult, Group, counted, failed, ok, warning
from companion.patients.models import Patient
from companion.patients.reach import BY_CODE, REFUSED_BY_TELEGRAM, Why
from companion.schedules.models import Message, Status
from companion.schedules.queries import COUNTED_TO
from companion.service import key_ring
from companion.service.clock import database_now
from companion.service.models import Heartbeat, Kind
from companion.service.outages import Trouble, trouble_of
from companion.telegram.limits import MESSAGES_PER_SECOND
from companion.times.walls import is_zone

_WAL_RESET_FIXED: Final = (3, 51, 3)
"""sqlite.org, "The WAL Reset Bug": versions before this version may corrupt a database in WAL mode."""


def services(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check each kind of service, and report the problems of sending."""
    read = facts.read(now=now).of(clinic.id if clinic else None)
    for kind in Kind:
        own = [beat for beat in read.beats if beat.kind == kind]
        living = sorted({f"{beat.host} ({beat.pid})" for beat in own if judge.alive(beat, now=now)})
        if living:
            yield ok(Group.SERVICES, f"{kind.label} alive", ", ".join(living))
        else:
            last = f"last sign of life {judge.age(now - own[0].beat_at)} ago" if own else "no sign of life for a day"
            yield failed(
                Group.SERVICES, f"{kind.label} alive", last, f"Start it: `companion {kind.value}`, or `companion up`."
            )
    wrong = [finding for finding in judge.findings(read, now=now) if "not running" not in finding.words]
    for finding in wrong:
        result = failed if finding.status == "down" else warning
        yield result(Group.SERVICES, "Sending", finding.status, finding.words)
    if not wrong:
        yield ok(Group.SERVICES, "Sending", "nothing is overdue or held back")


def database(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Check that the database is reachable and writable, with the right schema and clock."""
    began = time.perf_counter()
    try:
        read_at = database_now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        trouble = trouble_of(error) or Trouble.GONE
        yield failed(Group.DATABASE, "Database reachable", trouble.clause, trouble.advice)
        return
    took = (time.perf_counter() - began) * 1000
    yield ok(Group.DATABASE, "Database reachable", f"{connection.display_name}, {took:.1f} ms")
    yield _writable(read_at)
    schema = _schema()
    yield schema
    if schema.result == "ok":
        yield from checks_trail.trail(clinic, now=now)
    if connection.vendor == "sqlite":
        yield _sqlite_version()


def _writable(now: dt.datetime) -> CheckResult:
    from companion.clinics.ids import new_id

    began = time.perf_counter()
    try:
        with transaction.atomic():
            Heartbeat.objects.create(
                id=new_id(), kind=Kind.WEB, host="check", pid=0, version="", started_at=now, beat_at=now, health_url=""
            )
            transaction.set_rollback(True)
    except Error as error:
        if trouble := trouble_of(error):
            return failed(Group.DATABASE, "Database writable", trouble.clause, trouble.advice)
        advice = "Check that the disk isn't full, and that this user may write to the database (and its folder)."
        return failed(Group.DATABASE, "Database writable", type(error).__name__, advice)
    return ok(Group.DATABASE, "Database writable", f"{(time.perf_counter() - began) * 1000:.1f} ms")


def _schema() -> CheckResult:
    executor = MigrationExecutor(connection)
    behind = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if behind:
        missing = f"{counted(behind, 'migration')} missing"
        return failed(Group.DATABASE, "Schema up to date", missing, "Run `companion migrate`.")
    return ok(Group.DATABASE, "Schema up to date", "all migrations applied")


def _sqlite_version() -> CheckResult:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()")
        (version,) = cursor.fetchone()
    return _sqlite(str(version))


def _sqlite(version: str) -> CheckResult:
    if tuple(int(part) for part in version.split(".")) < _WAL_RESET_FIXED:
        advice = "This SQLite can damage a database that is written to by several processes. Reinstall pysqlite3."
        return failed(Group.DATABASE, "SQLite's version", version, advice)
    return ok(Group.DATABASE, "SQLite's version", version)


def telegram_ids(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Count, for each obstacle, the patients whom Telegram can't reach although messages to them are planned."""
    here = Patient.objects.filter(left_at=None, **({"clinic": clinic} if clinic else {})).order_by()
    planned = here.filter(Exists(Message.objects.filter(patient=OuterRef("pk"), status=Status.PENDING)))
    for obstacle in (BY_CODE[Why.NO_TELEGRAM_ID], *REFUSED_BY_TELEGRAM):
        yield _people(obstacle.short, here.filter(obstacle.query), planned.filter(obstacle.query), obstacle.mend)


def _people(name: str, all_of: QuerySet[Patient], waiting: QuerySet[Patient], advice: str) -> CheckResult:
    count, planned = all_of[:COUNTED_TO].count(), waiting[:COUNTED_TO].count()
    they = counted(count, "patient")
    if not planned:
        return ok(Group.TELEGRAM_IDS, name, f"{they}, no message waits for them" if count else "nobody")
    return warning(Group.TELEGRAM_IDS, name, f"{they}, messages wait for {planned}", advice)


def configuration(clinic: Clinic | None, *, now: dt.datetime) -> Iterator[CheckResult]:
    """Find settings that contradict each other, keys that don't open values, and files that others may read."""
    yield _sandbox(facts.sandbox_of(facts.beats(now=now), now=now))
    yield _secret_key()
    living = [beat for beat in facts.beats(now=now) if judge.alive(beat, now=now)]
    yield _same_key(living)
    yield _rate(living)
    yield _zones(clinic)
    yield _in_the_open()
    yield from _file_modes()
    yield from python_holes.python()


def _sandbox(services_have_it: bool) -> CheckResult:
    name = "Sandbox"
    if services_have_it != settings.SANDBOX_ON:
        value = f"{'on' if services_have_it else 'off'} in the running services, not so in this command's settings"
        return warning(Group.CONFIGURATION, name, value, checks_outside.SAME_SETTINGS)
    if settings.SANDBOX_ON and bots.has_met_a_real_bot():
        return failed(Group.CONFIGURATION, name, "on", bots.NO_SANDBOX_HERE)
    if not settings.SANDBOX_ON and settings.COMPANION.telegram_bot_token and bots.holds_invented_ids():
        return failed(Group.CONFIGURATION, name, "off", bots.NO_REAL_BOT_HERE)
    return ok(Group.CONFIGURATION, name, "on: nothing reaches a real phone" if settings.SANDBOX_ON else "off")


def _secret_key() -> CheckResult:
    name = "Secret key"
    if lost := key_ring.missing():
        value = f"missing: {', '.join(lost)}, which sealed data here"
        return failed(Group.CONFIGURATION, name, value, _GIVE_BACK)
    try:
        opened = len(list(Bot.objects.all()))
    except CannotOpen:
        return failed(Group.CONFIGURATION, name, "doesn't open the stored values", _GIVE_BACK)
    return ok(Group.CONFIGURATION, name, f"opens the token of {counted(opened, 'bot')}" if opened else "set")


_GIVE_BACK: Final = "Give back the earlier COMPANION_SECRET_KEY (or the data folder's file secret_key)."


def _same_key(living: Sequence[facts.Beat]) -> CheckResult:
    """Compare the keys of all services, and of this command, by their ids in the heartbeats."""
    name, own = "Secret key the same everywhere", key_ring.ring()
    other = sorted({beat.host for beat in living if not _opens_the_same(beat, own.ids)})
    if other:
        advice = "Give all hosts, and this command, the same COMPANION_SECRET_KEY. Otherwise values stay closed."
        return failed(Group.CONFIGURATION, name, f"another key on {', '.join(other)}", advice)
    behind = sorted({beat.host for beat in living if beat.state.get("key") not in (None, own.in_use.id)})
    if behind:
        advice = (
            "All hosts know all keys, so nothing is lost. Restart those services, then run `companion keys rotate`."
        )
        value = f"{own.in_use.id} here, another key in use on {', '.join(behind)}"
        return warning(Group.CONFIGURATION, name, value, advice)
    return ok(Group.CONFIGURATION, name, own.in_use.id)


def _opens_the_same(beat: facts.Beat, own: Sequence[str]) -> bool:
    """Return whether that service and this process each know the key that the other seals with."""
    theirs = beat.state.get("key")
    known = beat.state.get("keys")
    return theirs is None or (theirs in own and own[0] in (known if isinstance(known, list) else [theirs]))


def _rate(living: Sequence[facts.Beat]) -> CheckResult:
    """Find dispatchers that send at different rates, or faster than Telegram allows without paid broadcasts."""
    used = {beat.state.get("rate_per_second") for beat in living} - {None}
    rates = sorted(rate for rate in used | {settings.COMPANION.rate_per_second} if isinstance(rate, int | float))
    value = " and ".join(f"{rate:g} a second" for rate in rates)
    if len(rates) > 1:
        advice = "Give all hosts, and this command, the same COMPANION_RATE_PER_SECOND."
        return warning(Group.CONFIGURATION, "Rate", value, advice)
    if rates[0] > MESSAGES_PER_SECOND:
        advice = f"Telegram allows a bot about {MESSAGES_PER_SECOND} messages a second, more only with paid broadcasts."
        return warning(Group.CONFIGURATION, "Rate", value, advice)
    return ok(Group.CONFIGURATION, "Rate", value)


def _zones(clinic: Clinic | None) -> CheckResult:
    own = {"clinic": clinic} if clinic else {}
    used = Patient.objects.filter(left_at=None, **own).order_by().values_list("timezone", flat=True).distinct()
    unknown = sorted(zone for zone in used[:COUNTED_TO] if not is_zone(zone))
    if not is_zone("Europe/Berlin") or unknown:
        advice = "Reinstall the package tzdata. If it still doesn't know a zone, change the zone of those patients."
        return failed(Group.CONFIGURATION, "Time zones", f"unknown: {', '.join(unknown) or 'all'}", advice)
    return ok(Group.CONFIGURATION, "Time zones", "all known")


def _in_the_open() -> CheckResult:
    own = settings.COMPANION
    if own.on_loopback or own.public_url.startswith("https://"):
        return ok(Group.CONFIGURATION, "Address", own.public_url)
    advice = (
        "Pages and passwords travel unencrypted. Put a proxy with https in front, set COMPANION_BASE_URL to its "
        "address and COMPANION_HOST to 127.0.0.1 (docs/operations.md)."
    )
    return warning(Group.CONFIGURATION, "Address", own.public_url, advice)


def _file_modes() -> Iterator[CheckResult]:
    folder = Path(settings.DATA_DIR)
    readable = [
        path.name for path in (folder / "secret_key", folder / "companion.sqlite3", Path(".env")) if _open(path)
    ]
    if readable:
        advice = f"Others on this machine can read them. Run: chmod go= {' '.join(readable)}"
        yield warning(Group.CONFIGURATION, "Secrets' files", ", ".join(readable), advice)
    else:
        yield ok(Group.CONFIGURATION, "Secrets' files", "readable by their owner only")


def _open(path: Path) -> bool:
    """Return whether users other than the owner may read the file, by the modes of the file and its folder."""
    try:
        mode, around = path.stat().st_mode, path.resolve().parent.stat().st_mode
    except OSError:
        return False
    return bool(mode & (stat.S_IRGRP | stat.S_IROTH)) and bool(around & (stat.S_IXGRP | stat.S_IXOTH))
