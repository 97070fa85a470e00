"""`companion backup`, `restore`, `restored` and `resume`: copies of the database, and the steps after a restore."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from companion.cli.instants import INSTANT
from companion.cli.people import CLINIC_HELP
from companion.cli.ready import ready
from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.restoring.models import Restoration

_FILE: Final = click.Path(dir_okay=False, path_type=Path)
_JOURNALS: Final = click.option(
    "--journal",
    "journals",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder with a Journal; give the folder of each host. Default: COMPANION_JOURNAL_DIR.",
)
_KEY_APART: Final = (
    "The backup doesn't hold the secret key, and without that key nobody can read its texts. Keep "
    "COMPANION_SECRET_KEY, or the file secret_key in the data folder, in another place."
)

_DRILL: Final = "Restored as a drill. Start services on it with COMPANION_DRILL=1: they send nothing to anybody."
_FORGOT_EARLY: Final = (
    "The Journals are not complete. So messages that staff sent early after the copy was made are sent again at their "
    "planned time: ask your staff, and cancel these messages first."
)

_ERASE_AGAIN: Final = "Patients who were erased after the copy was made are back: erase them again."


@click.command()
@click.argument("file", type=_FILE)
@click.option("--recipient", "recipients", multiple=True, help="Encrypt to this age key (age1…); may be given again.")
def backup(file: Path, recipients: tuple[str, ...]) -> None:
    """Make an encrypted backup in FILE while the services run, and read it once to check it.

    Without --recipient it is encrypted by COMPANION_BACKUP_PASSPHRASE.
    """
    from companion.restoring import backup as backups
    from companion.restoring.sealing import Lock

    with plain_errors():
        made = backups.make(file, Lock(recipients, passphrase()))
    taken = made.manifest.taken_at.isoformat(timespec="seconds")
    click.echo(f"{made.file}: {made.size / 2**20:.1f} MB, as of {taken}, read and checked.")
    click.echo(_KEY_APART, err=True)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--identity", type=_FILE, help="The file of the age key to which the backup was encrypted.")
@_JOURNALS
@click.option("--drill", is_flag=True, help="Only to try the copy: nothing is ever sent from it (COMPANION_DRILL=1).")
def restore(file: Path, identity: Path | None, journals: tuple[Path, ...], drill: bool) -> None:
    """Restore the backup in FILE into an empty database, and hold messages that may have been sent since then.

    Without --identity it is opened by COMPANION_BACKUP_PASSPHRASE.
    """
    ready()
    from companion.restoring import restore as restores
    from companion.restoring.sealing import Key

    with plain_errors():
        key = Key(identity, passphrase())
        restoration = restores.restore(file, key, drill=drill, journals=_folders(journals))
    if drill:
        click.echo(_DRILL)
        return
    click.echo(f"Restored as of {restoration.taken_at.isoformat(timespec='seconds')}. {_words(restoration)}")


@click.command()
@click.option(
    "--taken", required=True, type=INSTANT, help="When the copy was made, with an offset: 2026-12-01T09:00:00+01:00."
)
@_JOURNALS
@click.option("--drill", is_flag=True, help="Only to try the copy: nothing is ever sent from it (COMPANION_DRILL=1).")
def restored(taken: dt.datetime, journals: tuple[Path, ...], drill: bool) -> None:
    """Pause sending after a restore by other means (a snapshot, pg_basebackup, point-in-time recovery).

    Run it before the services start. It also holds messages that may have been sent after the copy was made. Give
    --journal only for a folder that the restore has not replaced: a Journal in a snapshot is as old as the snapshot.
    """
    from companion.restoring import holding
    from companion.service.clock import database_now

    with plain_errors():
        restoration = holding.hold(
            taken_at=taken, now=database_now(), drill=drill, journals=_folders(journals), survived=bool(journals)
        )
    click.echo(_DRILL if drill else _words(restoration))


@click.command()
@click.option("--clinic", "slug", help="Only this clinic. " + CLINIC_HELP)
def resume(slug: str | None) -> None:
    """Resume sending after a restore or a pause, in all clinics or in one clinic."""
    from companion.clinics import clinics
    from companion.clinics.members import command_line
    from companion.clinics.models import Clinic
    from companion.panel import actions
    from companion.service.clock import database_now

    with plain_errors():
        wanted = [clinics.the_clinic(slug)] if slug is not None else list(Clinic.objects.order_by("name", "id"))
        resumed = actions.resume_each([command_line(clinic) for clinic in wanted], now=database_now())
    if not resumed:
        raise click.ClickException("Sending isn't paused.")
    click.echo("Sending is resumed." if resumed == 1 else f"Sending is resumed in {resumed} clinics.")


def _words(restoration: "Restoration") -> str:
    """Return the sentences that tell people what to do after a restore."""
    forgot = "" if restoration.all_known else f" {_FORGOT_EARLY}"
    return f"{held_words(restoration.held)}{forgot} {_ERASE_AGAIN}"


def held_words(held: int) -> str:
    """Return the sentences that tell people what to do about the held messages."""
    if not held:
        return "Sending is paused. An admin resumes it: `companion resume`, or the Control Panel."
    held_back = "1 message is held, since it" if held == 1 else f"{held} messages are held, since they"
    return (
        f"Sending is paused. {held_back} may have been sent before the restore. Decide in the Control Panel, under "
        f"Outcome unknown, or with `companion unknown decide`. Then resume: `companion resume`, or the Control Panel."
    )


def passphrase() -> str:
    """Return COMPANION_BACKUP_PASSPHRASE; empty if it isn't set."""
    from django.conf import settings

    given = settings.COMPANION.backup_passphrase
    return given.get_secret_value() if given else ""


def _folders(given: tuple[Path, ...]) -> tuple[Path, ...]:
    from django.conf import settings

    return given or (settings.JOURNAL_DIR,)
