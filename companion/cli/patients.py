"""`companion patients`: the directory, from the command line.

An import that refused single rows is still a success (exit status 0): the other rows are stored, and the report names
the refused rows. If the file can't be read at all, the import fails.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from companion.cli.people import CLINIC_HELP
from companion.cli.refusals import plain_errors
from companion.cli.rights import erase, export, merge
from companion.cli.sources import source, sync

if TYPE_CHECKING:
    from companion.patients.importing import Report


@click.group()
def patients() -> None:
    """The directory of patients."""


patients.add_command(source)
patients.add_command(sync)
patients.add_command(export)
patients.add_command(erase)
patients.add_command(merge)


@patients.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--clinic", "slug", help=CLINIC_HELP)
def import_file(file: Path, slug: str | None) -> None:
    """Add and change patients from a CSV FILE. Importing the same file again changes nothing.

    Columns: external_id, name (both needed), telegram_id, birth_date, phone, caregiver, timezone, language, cohorts.
    """
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.patients.importing import import_csv
    from companion.service.clock import database_now

    with plain_errors(), file.open("rb") as opened:
        caller = command_line(clinics.the_clinic(slug))
        size = file.stat().st_size
        with click.progressbar(length=size, label="Importing", file=sys.stderr) as bar:

            def advance(done: int, _total: int) -> None:
                bar.update(done - bar.pos)

            report = import_csv(caller, opened, now=database_now(), progress=advance)
    _print(report)


def _print(report: "Report") -> None:
    click.echo(
        f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged, {len(report.refused)} refused"
    )
    if report.ignored:
        click.echo(f"Columns that were ignored: {', '.join(report.ignored)}", err=True)
    for row in report.refused:
        click.echo(f"line {row.line}: {row.reason}")
