"""`companion patients export`, `erase` and `merge`: a patient's rights, from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from companion.cli.new_file import new_file
from companion.cli.people import CLINIC_HELP
from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.rights.merge_preview import Preview

_ID: Final = "ID is the patient's id in the product, or the external id."


@click.command(epilog=_ID)
@click.argument("id")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A new file. Default: patient-ID.zip.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def export(id: str, output: Path | None, slug: str | None) -> None:
    """Write all data about a patient into a zip file: as JSON, as a page to read, and the patient's files."""
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.patients import queries
    from companion.rights.packing import packed
    from companion.service.clock import database_now

    with plain_errors():
        caller = command_line(clinics.the_clinic(slug, archived=True))
        patient = queries.patient_called(caller.clinic, id)
        target = output or Path(f"patient-{patient.pk}.zip")
        with new_file(target) as file:
            file.writelines(packed(caller, patient, now=database_now()))
    click.echo(f"Written to {target}.")


@click.command(epilog=_ID)
@click.argument("id")
@click.option("--name", prompt="The patient's name", help="The patient's name, to confirm.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def erase(id: str, name: str, slug: str | None) -> None:
    """Erase a patient for good. The record of sent messages stays, with times and authors, without name and text."""
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.patients import queries
    from companion.rights import erasing
    from companion.service.clock import database_now

    with plain_errors():
        caller = command_line(clinics.the_clinic(slug))
        done = erasing.erase(caller, queries.patient_called(caller.clinic, id), name, now=database_now())
    click.echo(
        f"Erased. {done.kept} messages stay on record without name and text, {done.cancelled} were cancelled, "
        f"{done.to_delete} will be deleted from Telegram."
    )


@click.command(epilog=f"{_ID} So is INTO.")
@click.argument("id")
@click.argument("into")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def merge(id: str, into: str, yes: bool, slug: str | None) -> None:
    """Merge a patient into another patient (INTO), who is the same person and remains. Shows both plans first."""
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.clinics.refusals import Conflict
    from companion.patients import queries
    from companion.planning import marks
    from companion.rights import merge_preview, merging
    from companion.service.clock import database_now

    with plain_errors():
        caller = command_line(clinics.the_clinic(slug))
        patient = queries.patient_called(caller.clinic, id)
        other = merging.other_of(caller.clinic, patient, into)
        preview = merge_preview.preview(caller, patient, other, now=database_now())
        _show(preview)
        if preview.obstacle:
            raise Conflict(preview.obstacle)
        if not yes:
            click.confirm(f"Merge {patient.external_id} into {other.external_id}?", abort=True)
        now = database_now()
        merging.merge(caller, patient, other, now=now)
        marks.work_off_of(caller.clinic, other.pk, now=now)
    click.echo(f"The two are one patient now: {other.pk}.")


def _show(preview: "Preview") -> None:
    for patient, items in ((preview.gone, preview.coming_of_gone), (preview.stays, preview.coming_of_stays)):
        click.echo(f"{patient.external_id} {patient.name}: {'' if items else 'nothing is planned'}")
        for item in items:
            click.echo(f"  {item.message.due_at.isoformat(timespec='minutes')}")
    for sentence in preview.merged.sentences:
        click.echo(sentence)
    if preview.twice:
        click.echo(f"Occurrences with a message for both: {len(preview.twice)}. One of the two messages is removed.")
