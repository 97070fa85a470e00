"""`companion up`: all services on this machine by one command, which stops all of them when it ends.

It prepares the data, and then supervises `companion web`, `dispatcher` and `listener`, each in a separate process.
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
from companion.cli.refusals import plain_errors
from companion.cli.web_server import listening

_CHILDREN: Final = ("dispatcher", "listener", "web")
_WAIT_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The output for people: a sign-in link (may be empty), and a note."""

    link: str
    note: str
    at: dt.datetime
    """The instant at which the services were started."""


@click.command()
@click.option("--demo", is_flag=True, help="With invented patients, in the Sandbox: nothing reaches a real phone.")
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
            threading.Thread(target=_print_address, args=(prepared, stop), name="address", daemon=True).start()
            code = supervise.supervise(_commands(), env=os.environ, stop=stop)
    except process.AlreadyRunning:
        raise click.ClickException(
            "`companion up` runs on this data folder already. Stop it first, or name another by COMPANION_DATA_DIR."
        ) from None
    sys.exit(code)


def _alone() -> AbstractContextManager[None]:
    """Take a lock, so that only one `companion up` works on a data folder with SQLite. Raises AlreadyRunning."""
    from django.db import connection

    from companion.service import process
    from companion.service.data_folder import data_folder

    if connection.vendor == "postgresql":
        return nullcontext()
    return process.hold_lock(data_folder() / "up.lock")


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
        raise click.ClickException("Set COMPANION_PORT to a fixed port: sign-in links contain it.")
    # If the address is in use, this fails at once. A child process would only try again and again.
    listening(settings.COMPANION.host, settings.COMPANION.port).close()
    with plain_errors():
        prepare.migrate()
        _protect_trail()
        now = database_now()
        prepare.check_start()
        demo_admin = demo_clinic(now=now) if demo else None
        clinic = first_clinic(now=now)
        note = prepare.first_bot(clinic, now=now)
        admin, made = (demo_admin, True) if demo_admin else prepare.first_admin(clinic, now=now)
    # The link is not printed at each start: a service manager's log would then always hold a way to sign in. A link
    # into an archived clinic opens nothing.
    wanted = (made or sys.stdout.isatty()) and not admin.clinic.archived_at
    return _Prepared(operators_link(admin, now=now) if wanted else "", note, now)


def _protect_trail() -> None:
    """Print a notice if the audit trail was not protected. Patients' messages don't wait until it is."""
    from companion.cli import prepare
    from companion.clinics.refusals import Conflict

    try:
        notice = prepare.protect_trail()
    except Conflict as refusal:
        notice = str(refusal)
    if notice:
        click.echo(notice, err=True)


def _commands() -> dict[str, list[str]]:
    """Return the commands of the child processes by name."""
    return {name: [sys.executable, "-m", "companion.cli.main", name, "--share-host"] for name in _CHILDREN}


def _print_address(prepared: _Prepared, stop: threading.Event) -> None:
    """Print the address once the pages answer and each service has sent a heartbeat."""
    from django.conf import settings

    if prepared.note:
        click.echo(prepared.note, err=True)
    host, port = settings.COMPANION.host, settings.COMPANION.port
    if not _wait_for(lambda: _answers(host, port), stop):
        click.echo("The pages don't answer yet; the lines above say why.", err=True)
        _wait_for(lambda: _answers(host, port), stop, seconds=float("inf"))
    if not _wait_for(lambda: _beating(prepared.at), stop):
        click.echo("Some services don't run yet; the lines above and the first page say why.", err=True)
    if stop.is_set():
        return
    url = settings.COMPANION.public_url
    click.echo(f"\nAI Companion Scheduler runs at {url}")
    if prepared.link:
        click.echo(f"Sign in by this link (once, within a day): {prepared.link}")
    if settings.SANDBOX_ON:
        click.echo(f"Practice: nothing reaches a real phone. The Sandbox's phones are at {url}/sandbox")
    click.echo("Ctrl+C stops it.\n")


def _wait_for(true: Callable[[], bool], stop: threading.Event, *, seconds: float = _WAIT_SECONDS) -> bool:
    """Wait until the condition is true or `stop` comes; False only if the time ran out."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        if stop.wait(_POLL_SECONDS):
            return True
    return True


def _beating(since: dt.datetime) -> bool:
    """Return whether each service has sent a heartbeat since then: else the first page would report it missing."""
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
