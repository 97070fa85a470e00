"""`companion maintenance`: a maintenance window, until whose end no alerts are sent."""

import datetime as dt
from typing import TYPE_CHECKING

import click

from companion.cli.instants import INSTANT
from companion.cli.people import CLINIC_HELP
from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.clinics.access import Caller

_clinic = click.option("--clinic", "slug", help="Only this clinic. " + CLINIC_HELP)


@click.group()
def maintenance() -> None:
    """A maintenance window: until it ends, no alerts are sent except calls for urgent help."""


@maintenance.command()
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="The window's length in hours.")
@click.option("--until", type=INSTANT, help="The window's end, with an offset: 2026-12-01T09:00:00+01:00.")
@click.option("--reason", default="", help="A sentence that admins read in the Control Panel.")
@_clinic
def begin(hours: float | None, until: dt.datetime | None, reason: str, slug: str | None) -> None:
    """Open a maintenance window, in all clinics or in one clinic. It takes effect within ten seconds."""
    from companion.panel import maintenance as windows
    from companion.service.clock import database_now

    if (hours is None) == (until is None):
        raise click.UsageError("Say when it ends: --hours or --until.")
    with plain_errors():
        now = database_now()
        at = until or now + min(dt.timedelta(hours=hours or 0), windows.LONGEST * 2)
        for caller in _callers(slug):
            windows.begin(caller, at, reason, now=now)
    click.echo(f"No alerts are sent until {at.isoformat(timespec='seconds')}.")


@maintenance.command()
@_clinic
def end(slug: str | None) -> None:
    """End the maintenance window, in all clinics or in one clinic."""
    from companion.clinics.refusals import Conflict
    from companion.panel import maintenance as windows
    from companion.service.clock import database_now

    ended = 0
    with plain_errors():
        for caller in _callers(slug):
            try:
                windows.end(caller, now=database_now())
            except Conflict:
                continue
            ended += 1
    if not ended:
        raise click.ClickException("No maintenance window is open.")
    click.echo("Alerts are sent again.")


def _callers(slug: str | None) -> "list[Caller]":
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.clinics.models import Clinic

    wanted = [clinics.the_clinic(slug)] if slug is not None else Clinic.objects.order_by("name", "id")
    return [command_line(clinic) for clinic in wanted]
