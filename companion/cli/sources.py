"""`companion patients source` and `sync`: set the source of the patients, and fetch them now.

The commands ask for passwords and tokens, and never take them as options: other users of the machine see options.
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from companion.cli.people import CLINIC_HELP
from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.patients.sources.models import SyncRun
    from companion.patients.sources.sync import Refusal

_CLINIC: Final = click.option("--clinic", "slug", help=CLINIC_HELP)
_EVERY: Final = click.option(
    "--every", "minutes", type=int, default=60, show_default=True, help="Minutes between two syncs."
)


@click.group()
def source() -> None:
    """Set the source of the clinic's patients. The listener service then fetches them regularly."""


@source.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_CLINIC
@_EVERY
def csv(file: Path, slug: str | None, minutes: int) -> None:
    """Set a CSV FILE that another program writes regularly.

    The columns are those of an import, and `left` for patients who have left.
    """
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.patients.sources import configuration
    from companion.service.clock import database_now

    with plain_errors():
        caller = command_line(clinics.the_clinic(slug))
        configuration.set_csv(caller, file, every=dt.timedelta(minutes=minutes), now=database_now())
    click.echo(_SET)


@source.command()
@click.argument("mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_CLINIC
@_EVERY
def sql(mapping: Path, slug: str | None, minutes: int) -> None:
    """Set a database that SQLAlchemy can read. The command asks for its URL. MAPPING (TOML) maps columns to fields.

    \b
    table = "patients"            (or query = "SELECT …")
    changed_at = "updated"        (optional: only changed rows are read)
    left = "discharged"           (optional: a date, or a true value)
    [columns]
    external_id = "mrn"
    name = "full_name"
    telegram_id = "telegram"
    """
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.patients.sources import configuration
    from companion.service.clock import database_now

    with plain_errors():
        caller = command_line(clinics.the_clinic(slug))
        url = click.prompt("The database's URL", hide_input=True, err=True)
        text = mapping.read_text(encoding="utf-8")
        configuration.set_sql(caller, url.strip(), text, every=dt.timedelta(minutes=minutes), now=database_now())
    click.echo(_SET)


@source.command()
@click.argument("url")
@click.option(
    "--identifier-system",
    default="",
    help="The system of the external id. Default: the resource's id is the external id.",
)
@click.option("--telegram", default="", help="The extension with the Telegram ID, or the prefix of the telecom value.")
@_CLINIC
@_EVERY
def fhir(url: str, identifier_system: str, telegram: str, slug: str | None, minutes: int) -> None:
    """Set a FHIR R4 server by its base URL. The command asks for the bearer token (empty: none)."""
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.patients.sources import configuration
    from companion.service.clock import database_now

    with plain_errors():
        caller = command_line(clinics.the_clinic(slug))
        token = click.prompt("Bearer token", hide_input=True, default="", show_default=False, err=True)
        configuration.set_fhir(
            caller,
            url,
            token.strip(),
            identifier_system=identifier_system,
            telegram=telegram,
            anywhere=True,
            every=dt.timedelta(minutes=minutes),
            now=database_now(),
        )
    click.echo(_SET)


@source.command("none")
@_CLINIC
def no_source(slug: str | None) -> None:
    """Remove the source. Patients who were fetched stay."""
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.patients.sources import configuration
    from companion.service.clock import database_now

    with plain_errors():
        configuration.remove(command_line(clinics.the_clinic(slug)), now=database_now())
    click.echo("The clinic has no source any more.")


@click.command()
@click.option("--all", "whole", is_flag=True, help="Also read patients who have not changed.")
@_CLINIC
def sync(whole: bool, slug: str | None) -> None:
    """Fetch patients from the clinic's source now. Exit status 1 if the source can't be read completely."""
    from companion.clinics import clinics
    from companion.patients.sources import sync as syncing
    from companion.patients.sources.models import RunState
    from companion.service.clock import database_now

    with plain_errors():
        run = syncing.sync(clinics.the_clinic(slug), clock=database_now, whole=whole)
    if run.state != RunState.DONE:
        raise click.ClickException(run.detail)
    _print(run, syncing.reasons(run))


def _print(run: "SyncRun", reasons: "list[Refusal]") -> None:
    numbers = f"{run.added} added, {run.changed} changed, {run.left} left, {run.unchanged} unchanged"
    click.echo(f"{numbers}, {run.refused} refused")
    for place, reason in reasons:
        click.echo(f"{place}: {reason}")
    if run.refused > len(reasons):
        click.echo(f"and {run.refused - len(reasons)} more")


_SET: Final = "The source is set. The listener service fetches the patients within seconds, and then regularly."
