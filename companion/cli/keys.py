"""`companion keys`: the secret keys that seal texts and tokens, and how to change them while the services run.

If the operator has to store a new key, only the key goes to standard output; all other lines go to standard error.
"""

import time
from typing import TYPE_CHECKING, Final

import click

from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.clinics.resealing import Step

_REPORT_EVERY_SECONDS: Final = 2.0
_WITHOUT_ID: Final = "a key from the time before keys had ids"


@click.group()
def keys() -> None:
    """The secret keys that seal texts and tokens: `new`, `use`, `rotate` and `drop`, in this order."""


@keys.command("list")
def list_keys() -> None:
    """Show the keys by their ids, and how many values still need each key."""
    from companion.clinics import key_changes, resealing
    from companion.service import key_ring
    from companion.service.models import UsedKey

    with plain_errors():
        needs, known = resealing.needed(), key_ring.ring().ids
        used = dict(UsedKey.objects.values_list("id", "since"))
    for at, key_id in enumerate(known):
        what = "in use" if at == 0 else "opens only"
        needing = key_changes.counted(needs.pop(key_id, {}))
        click.echo(f"{key_id}  {what}  needed by: {needing or 'nothing'}")
    for key_id in sorted({*needs, *used} - {*known, resealing.BEFORE_IDS}):
        click.echo(f"{key_id}  MISSING HERE  needed by: {key_changes.counted(needs.get(key_id, {})) or 'nothing'}")
    if old := needs.get(resealing.BEFORE_IDS):
        click.echo(f"{_WITHOUT_ID}: {key_changes.counted(old)}. `companion keys rotate` gives them the key in use.")


@keys.command()
def new() -> None:
    """Make a new key that all services know but don't use yet.

    The key goes into the file in the data folder. If the keys are stored elsewhere, the new key is printed, once.
    """
    from django.conf import settings

    from companion.clinics import key_changes
    from companion.service.clock import database_now

    key = key_changes.make()
    if not settings.SECRET_KEYS_FILE_IS_OURS:
        click.echo(f"The key {key.id}. First {key_changes.FIRST_KNOWN}.", err=True)
        click.echo(f"When all services know it, {key_changes.THEN_USED}. Then run `companion keys rotate`.", err=True)
        click.echo(key.secret)
        return
    with plain_errors():
        key_changes.add(key, now=database_now())
    click.echo(f"The key {key.id} is in the file secret_key. The services read it within ten seconds, and keep using")
    click.echo(f"the former key until `companion keys use {key.id}`. Copy the file to where you keep your keys.")


@keys.command()
@click.argument("key_id", metavar="ID")
def use(key_id: str) -> None:
    """Seal and sign with the key ID from now on. Values that other keys sealed can still be opened."""
    from companion.clinics import key_changes
    from companion.service.clock import database_now

    with plain_errors():
        key_changes.use(key_id, now=database_now())
    click.echo(f"The key {key_id} is in use; all services use it within ten seconds. Then run `companion keys rotate`.")


@keys.command()
def rotate() -> None:
    """Seal all values again with the key in use, while the services run. A stopped command can be run again."""
    from companion.clinics import key_changes, resealing
    from companion.service.clock import database_now

    progress = _Progress()
    with plain_errors():
        key_changes.check_none_missing()
        key_changes.check_all_use_it(now=database_now())
        unopened = resealing.reseal_all(progress.add)
        key_changes.record_rotation(now=database_now())
    progress.end()
    if unopened:
        raise click.ClickException(
            f"{unopened:,} rows can't be opened by any key that is known here, and were not changed. Give back the key "
            f"that sealed them (`companion keys list`) and run this again."
        )
    click.echo("All values that can be are sealed with the key in use. `companion keys list` shows the others.")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--lost", is_flag=True, help="The key is lost: the values that it sealed can never be read again.")
def drop(key_id: str, *, lost: bool) -> None:
    """Drop the key ID, which no value needs any more."""
    from companion.clinics import key_changes
    from companion.service.clock import database_now

    with plain_errors():
        left_to_do = key_changes.drop(key_id, lost=lost, now=database_now())
    click.echo(f"The key {key_id} is dropped. {left_to_do}".strip())


class _Progress:
    """The progress of a rotation, printed to standard error."""

    def __init__(self) -> None:
        self._name, self._rows, self._printed_at = "", 0, 0.0

    def add(self, step: "Step") -> None:
        """Count the rows of a step, and print the progress every few seconds."""
        if step.name != self._name:
            self.end()
            self._name, self._rows = step.name, 0
        self._rows += step.sealed
        if time.monotonic() - self._printed_at > _REPORT_EVERY_SECONDS:
            self._print()

    def end(self) -> None:
        """Print the progress of the last table."""
        if self._rows:
            self._print()

    def _print(self) -> None:
        self._printed_at = time.monotonic()
        click.echo(f"{self._name}: {self._rows:,} rows sealed again", err=True)
