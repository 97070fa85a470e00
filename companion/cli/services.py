"""`companion web`, `dispatcher`, `listener` and `migrate`: a process each, for systemd, containers and `companion up`.

This file starts a service, watches it and stops it cleanly. The rooms dispatch, listener and web do the work.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import click

from companion.cli import web_server
from companion.cli.ready import check_tables, ready
from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.service.outages import Trouble

_PORTS: Final = {"dispatcher": 0, "listener": 1, "web": 2}
"""The number that each service adds to COMPANION_HEALTH_PORT if the services share a host."""


@click.command()
@click.option(
    "--wait",
    "seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="The seconds to wait for a database that doesn't answer yet; inf: wait for ever.",
)
def migrate(seconds: float) -> None:
    """Bring the database's schema up to date, and create the first clinic if there is none."""
    ready()
    from companion.cli import prepare
    from companion.clinics.clinics import first_clinic
    from companion.service.clock import database_now

    with plain_errors():
        prepare.wait_for_database(seconds, on_wait=_say_that_migrate_waits)
        prepare.migrate()
        brought_back = prepare.protect_trail()
        now = database_now()
        note = prepare.first_bot(first_clinic(now=now), now=now)
    if note:
        click.echo(note, err=True)
    if brought_back:
        click.echo(brought_back, err=True)
    click.echo("The database is up to date.")


_share_host = click.option(
    "--share-host",
    is_flag=True,
    help="The services of this host share their settings: the dispatcher takes COMPANION_HEALTH_PORT, the listener the "
    "next port, and the web service the port after that.",
)


@click.command()
@_share_host
def dispatcher(share_host: bool) -> None:
    """Plan messages ahead, and send those that are due."""
    _start()
    from companion.clinics.chain_loop import chaining
    from companion.dispatch import service
    from companion.panel.monitor import monitoring
    from companion.service.process import AlreadyRunning

    try:
        with _plain_port_error(), _journal("dispatcher"), chaining(), monitoring():
            service.run(_health_port("dispatcher", share_host=share_host))
    except AlreadyRunning:
        raise click.ClickException(
            "A dispatcher works on this data folder already, and SQLite allows only one dispatcher. "
            "For several, use PostgreSQL."
        ) from None


@click.command()
@_share_host
def listener(share_host: bool) -> None:
    """Read what patients write back."""
    _start()
    from companion.clinics.chain_loop import chaining
    from companion.listener import service
    from companion.panel.monitor import monitoring

    with _plain_port_error(), _journal("listener"), chaining(), monitoring():
        service.run(_health_port("listener", share_host=share_host))


@click.command()
@_share_host
def web(share_host: bool) -> None:
    """Serve the pages and the API on COMPANION_HOST and COMPANION_PORT."""
    _start()
    from django.conf import settings

    from companion.clinics.chain_loop import chaining
    from companion.clinics.known_keys import may_read_metrics
    from companion.panel.monitor import monitoring
    from companion.service import health_port, process
    from companion.service.heartbeat import Heart

    own = settings.COMPANION
    stop = process.stop_signal()
    server = web_server.make_server()
    with _plain_port_error():
        at = _health_port("web", share_host=share_host)
        port = health_port.serve(_web_health, host=own.host, port=at, may_read_metrics=may_read_metrics)
    heart = Heart(
        "web",
        state=lambda: {"sandbox": settings.SANDBOX_ON},
        health_url=lambda: port.url,
        in_main_loop=server.trigger.pull_trigger,
    )
    heart.start()
    try:
        with chaining(), monitoring():
            web_server.serve_until(stop, server)
    finally:
        heart.stop()
        port.close()


def _health_port(kind: str, *, share_host: bool) -> int:
    """Return the port for this service's health and metrics."""
    from django.conf import settings

    first: int = settings.COMPANION.health_port
    return first + _PORTS[kind] if first and share_host else first


@contextmanager
def _plain_port_error() -> Iterator[None]:
    """Raise click.ClickException with a sentence if the health port can't be used."""
    from companion.service.health_port import PortTaken

    try:
        yield
    except PortTaken as taken:
        raise click.ClickException(str(taken)) from None


def _say_that_migrate_waits(trouble: "Trouble") -> None:
    click.echo(f"{trouble.sentences} Trying again until it answers; Ctrl+C ends this.", err=True)


def _start() -> None:
    """Wait for the database, and run the checks that each service needs first.

    Raises click.ClickException with what to do.
    """
    ready()
    from django.db import connection

    from companion.cli import prepare
    from companion.restoring import backup
    from companion.service.outages import patiently
    from companion.service.supervise import end_with_parent

    end_with_parent()
    with plain_errors():
        patiently(check_tables)
        patiently(prepare.check_start)
    backup.remove_left_behind()
    connection.close()


@contextmanager
def _journal(kind: str) -> Iterator[None]:
    """Keep this service's Journal. Raises click.ClickException if the Journal can't be begun."""
    from django.conf import settings

    from companion.journal import writing

    if settings.DRILL:
        # In a drill no message is sent or received.
        yield
        return
    with ExitStack() as kept:
        try:
            _notice_an_older_database()
            kept.enter_context(writing.process_journal(settings.JOURNAL_DIR, kind, settings.COMPANION.journal_days))
        except OSError as wrong:
            raise click.ClickException(
                f"The Journal can't be written ({wrong.strerror}). Name another folder in COMPANION_JOURNAL_DIR."
            ) from None
        yield


def _notice_an_older_database() -> None:
    """Hold messages if the Journal knows more than the database. Raises OSError if the Journal can't be read."""
    from django.conf import settings
    from django.db import connection

    from companion.restoring import noticing
    from companion.service.clock import database_now
    from companion.service.outages import patiently

    noticed = patiently(lambda: noticing.hold_if_older(settings.JOURNAL_DIR, now=database_now()))
    connection.close()
    if noticed:
        click.echo(
            "This database is older than its Journal, as after a restore. Sending is paused in all clinics, and "
            f"{noticed.held} messages are held that may have been sent. An admin decides about them, then resumes.",
            err=True,
        )


def _web_health() -> dict[str, object]:
    """Return the state of sending, as the Control Panel in this process sees it."""
    from django.db import connection

    from companion.panel import health

    try:
        report = health.check_now()
        return {"status": report.status, "detail": health.sentence(report), "source": report.source}
    finally:
        connection.close()
