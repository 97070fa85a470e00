"""`companion restored` and `companion resume`: what comes after a database was replaced by an older copy."""

import datetime as dt

import click

from companion.cli.people import CLINIC_HELP
from companion.cli.refusals import said_plainly


@click.command()
@click.option("--taken", required=True, help="When the copy was taken, with its offset: 2026-12-01T09:00:00+01:00.")
def restored(taken: str) -> None:
    """Hold everything back after a restore by other means (a snapshot, pg_basebackup, point-in-time recovery).

    Run it before the services start. Sending is paused; what may have left after the copy was taken is held.
    """
    from companion.restoring import holding
    from companion.service.clock import database_now

    with said_plainly():
        restoration = holding.hold(taken_at=read_instant(taken), now=database_now())
    click.echo(held_words(restoration.held))


@click.command()
@click.option("--clinic", "slug", help="Only this clinic. " + CLINIC_HELP)
def resume(slug: str | None) -> None:
    """Let sending go on, after a restore or a pause: in all clinics, or in one."""
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.clinics.models import Clinic
    from companion.panel import actions
    from companion.service.clock import database_now

    with said_plainly():
        wanted = [clinics.the_clinic(slug)] if slug else list(Clinic.objects.order_by("name", "id"))
        resumed = actions.resume_each([command_line(clinic) for clinic in wanted], now=database_now())
    if not resumed:
        raise click.ClickException("Sending isn't paused.")
    click.echo("Sending goes on." if resumed == 1 else f"Sending goes on in {resumed} clinics.")


def held_words(held: int) -> str:
    """What a restore has left to be done, for people."""
    if not held:
        return "Sending is paused. An admin lets it go on: `companion resume`, or the Control Panel."
    held_back = "1 message was held since it" if held == 1 else f"{held} messages were held since they"
    return (
        f"Sending is paused. {held_back} may have been sent before the restore. Decide in the Control Panel, under "
        f"Outcome unknown, then go on: `companion resume`, or the Control Panel."
    )


def read_instant(text: str) -> dt.datetime:
    """An instant with its offset from UTC. Raises click.BadParameter."""
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise click.BadParameter(
            "Write an instant with its offset from UTC, like 2026-12-01T08:00:00Z.", param_hint="--taken"
        )
    return at
