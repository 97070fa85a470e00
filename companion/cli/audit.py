"""`companion audit verify`: check whether somebody changed the audit trail, or an evidence packet; and `export`.

Exit status 0: complete, 1: changed, 2: the check could not be made, or a secret key that it needs is missing.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from companion.cli.new_file import new_file
from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.clinics.chain import Head
    from companion.panel.trail import Format

_COLOURS: Final = {"whole": "green", "tampered": "red", "unknown": "yellow"}
_ADVICE: Final = {
    "tampered": "What to do: leave the database as it is. Copy it, its backups and the Journals to another place. Then "
    "find out who could sign in to it as its owner since the newest entry before the first wrong entry. "
    "docs/runbook.md says more under AuditTrailTampered.",
    "unknown": "What to do: give the named keys in COMPANION_OTHER_SECRET_KEYS and check again. If no such key was "
    "ever in use here, somebody changed these entries.",
}


@click.group()
def audit() -> None:
    """The audit trail: who did and read what."""


@audit.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--clinic", "slug", help="Check only this clinic, by its slug; a removed clinic by its id.")
@click.option(
    "--last",
    metavar="NUMBER:HASH",
    help="The newest entry as an e-mail or a webhook reported it, to notice if the newest entries were removed.",
)
@click.option(
    "--journal",
    "journals",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with another host's Journal. The Journal of this host is always read.",
)
def verify(file: Path | None, slug: str | None, last: str | None, journals: tuple[Path, ...]) -> None:
    """Check each entry of the audit trail and its place in the chain; or an evidence packet in FILE."""
    if file:
        _verify_packet(file)
    from companion.panel import trail_check

    head = _head(last) if last else None
    with _not_checked():
        reports = trail_check.check_all(slug, last=head, journals=journals)
    for report in reports:
        click.secho(report.summary, fg=_COLOURS[report.state.value], bold=True)
        for line in report.lines:
            click.echo(f"  {line}")
    states = {report.state.value for report in reports}
    for state, advice in _ADVICE.items():
        if state in states:
            click.echo(f"\n{advice}")
    sys.exit(1 if "tampered" in states else 2 if "unknown" in states else 0)


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--clinic", "slug", help="The clinic's slug; of a removed clinic the id, as `companion audit verify` says it."
)
@click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), default="csv", show_default=True)
def export(file: Path, slug: str | None, form: "Format") -> None:
    """Write a clinic's entries into the new FILE, the oldest first. The export is itself an entry."""
    from companion.cli import prepare
    from companion.clinics.members import command_line
    from companion.panel import trail
    from companion.service.clock import database_now

    with plain_errors():
        # Verifying needs no key, but this writes an entry: sealed with another key it would look like a forgery.
        prepare.check_keys()
        caller = command_line(trail.clinic_called(slug))
        with new_file(file) as target:
            pieces = trail.export(caller, trail.Wanted(), form, now=database_now())
            target.writelines(piece.encode() for piece in pieces)
    click.echo(f"Written to {file}.")


def _verify_packet(file: Path) -> None:
    """Check an evidence packet, and end the command."""
    from companion.rights import evidence_check

    with _not_checked():
        wrong = evidence_check.check(file)
    if not wrong:
        click.secho("Nobody changed the packet, and its entries are in the audit trail.", fg="green", bold=True)
        sys.exit(0)
    click.secho("The packet can't be relied on.", fg="red", bold=True)
    for sentence in wrong:
        click.echo(f"  {sentence}")
    sys.exit(1)


@contextmanager
def _not_checked() -> Iterator[None]:
    """End with status 2 if the check could not be made, so that it differs from a check that found a change."""
    try:
        with plain_errors():
            yield
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)


def _head(text: str) -> "Head":
    from companion.clinics.chain import Head

    number, _, digest = text.strip().partition(":")
    if not number.isdecimal() or len(number) > 18 or len(digest) != 64:
        raise click.BadParameter("Give it as it was reported: a number, a colon and 64 letters and digits.")
    return Head(int(number), digest.lower())
