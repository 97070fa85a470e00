"""`companion up`: everything on this machine with one command, and nothing left running when it ends.

Prepares the data, then supervises `companion web`, `dispatcher` and `listener`, each a process of its own.
"""

import datetime as dt
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

import click

from companion.cli.ready import ready
from companion.cli.refusals import said_plainly
from companion.cli.services import listening

_CHILDREN: Final = ("dispatcher", "listener", "web")
_WAIT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The words for people: a sign-in link, if one is needed, and other things to know."""

    link: str
    note: str
    at: dt.datetime
    """The instant at which the services were started."""


@click.command()
@click.option("--demo", is_flag=True, help="With a clinic of invented patients, in the Sandbox: nothing leaves.")
def up(demo: bool) -> None:
    """Migrate, then run web, dispatcher and listener together until Ctrl+C."""
    if demo:
        os.environ["COMPANION_SANDBOX"] = "1"
    ready()
    from django.db import connections

    from companion.service import process, supervise

    try:
        with _alone():
            prepared = _prepare(demo=demo)
            connections.close_all()
            stop = process.stop_signal()
            told = threading.Thread(target=_tell, args=(prepared, stop), name="tell", daemon=True)
            told.start()
            code = supervise.supervise(_commands(), env=os.environ, stop=stop)
    except process.AlreadyRunning:
        raise click.ClickException(
            "`companion up` runs on this data folder already. Stop it first, or set COMPANION_DATA_DIR to another."
        ) from None
    sys.exit(code)


def _alone() -> AbstractContextManager[None]:
    """Let only one `up` work on a data folder with SQLite. Raises AlreadyRunning."""
    from django.conf import settings
    from django.db import connection

    from companion.service import process

    if connection.vendor == "postgresql":
        return nullcontext()
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    return process.hold_lock(settings.DATA_DIR / "up.lock")


def _prepare(*, demo: bool) -> _Prepared:
    """Prepare the schema, the clinic, its admin and its bot. Raises click.ClickException if something forbids the
    start.
    """
    from django.conf import settings

    from companion.cli import prepare
    from companion.cli.demo import demo_clinic
    from companion.clinics.clinics import first_clinic
    from companion.clinics.sign_in_links import operators_link
    from companion.service.clock import database_now

    if settings.COMPANION.port == 0:
        raise click.ClickException("COMPANION_PORT must be a port of your choice here: links carry it.")
    # The address is taken and released, because a child that can't have it would try again and again.
    listening(settings.COMPANION.host, settings.COMPANION.port).close()
    with said_plainly():
        prepare.migrate()
        now = database_now()
        prepare.check_start()
        demo_admin = demo_clinic(now=now) if demo else None
        clinic = first_clinic(now=now)
        note = prepare.first_bot(clinic, now=now)
        admin, made = prepare.first_admin(clinic, now=now)
    if demo_admin:
        return _Prepared(operators_link(demo_admin, now=now), note, now)
    # Not at each start: a log that collects this output (a service manager's journal) would hold a way to sign in.
    return _Prepared(operators_link(admin, now=now) if made or sys.stdout.isatty() else "", note, now)


def _commands() -> dict[str, list[str]]:
    """The children's commands by name."""
    return {name: [sys.executable, "-m", "companion.cli.main", name, "--share-host"] for name in _CHILDREN}


def _tell(prepared: _Prepared, stop: threading.Event) -> None:
    """Print the address once the pages answer and the services have beaten."""
    from django.conf import settings

    if prepared.note:
        click.echo(prepared.note, err=True)
    host, port = settings.COMPANION.host, settings.COMPANION.port
    if not _wait_for(lambda: _answers(host, port), stop):
        click.echo("The pages don't answer yet; the lines above say why.", err=True)
        _wait_for(lambda: _answers(host, port), stop, seconds=float("inf"))
    if not _wait_for(lambda: _beating(prepared.at), stop):
        click.echo("Not all services run yet; the lines above and the first page say why.", err=True)
    if stop.is_set():
        return
    url = settings.COMPANION.public_url
    click.echo(f"\nAI Companion Scheduler runs at {url}")
    if prepared.link:
        click.echo(f"Sign in by this link (once, within a day): {prepared.link}")
    if settings.SANDBOX_ON:
        click.echo(f"Practice: nothing reaches a real phone. The phones are at {url}/sandbox")
    click.echo("Ctrl+C stops it.\n")


def _wait_for(true: Callable[[], bool], stop: threading.Event, *, seconds: float = _WAIT_SECONDS) -> bool:
    """Wait until the condition is true or `stop` comes; False only if the time ran out."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        if stop.wait(_LOOK_SECONDS):
            return True
    return True


def _beating(since: dt.datetime) -> bool:
    """Return whether each service has beaten since then, so that the first page doesn't report a missing service."""
    import socket

    from django.db import Error, connection

    from companion.service.models import Heartbeat

    beats = Heartbeat.objects.filter(host=socket.gethostname(), beat_at__gt=since)
    try:
        return set(beats.values_list("kind", flat=True)) >= set(_CHILDREN)
    except Error:
        return False
    finally:
        connection.close()


def _answers(host: str, port: int) -> bool:
    """Return whether the pages answer at all, with any status."""
    import http.client

    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  (compared with, not bound to)
    connection = http.client.HTTPConnection(everywhere.get(host, host), port, timeout=5)
    try:
        connection.request("GET", "/api/scheduler")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()
