"""`companion keys`: the secret keys that seal texts and tokens, and their change without a stop.

A key that the operator has to keep goes to standard output alone; the words around it go to standard error.
"""

import time
from typing import TYPE_CHECKING, Final

import click

from companion.cli.refusals import said_plainly

if TYPE_CHECKING:
    from companion.clinics.resealing import Step

_SAY_EVERY_SECONDS: Final = 2.0
_OF_BEFORE: Final = "a key of before there were ids"


@click.group()
def keys() -> None:
    """The secret keys that seal texts and tokens: `new`, `use`, `rotate` and `drop`, in this order."""


@keys.command("list")
def list_keys() -> None:
    """Show the keys by their ids, and what still needs each of them."""
    from companion.clinics import key_changes, resealing
    from companion.service import key_ring
    from companion.service.models import UsedKey

    with said_plainly():
        needs, known = resealing.needed(), key_ring.ring().ids
        used = dict(UsedKey.objects.values_list("id", "since"))
    for at, key_id in enumerate(known):
        what = "in use" if at == 0 else "opens only"
        needing = key_changes.counted(needs.pop(key_id, {}))
        click.echo(f"{key_id}  {what}  needed by: {needing or 'nothing'}")
    for key_id in sorted({*needs, *used} - {*known, resealing.BEFORE_IDS}):
        click.echo(f"{key_id}  MISSING HERE  needed by: {key_changes.counted(needs.get(key_id, {})) or 'nothing'}")
    if old := needs.get(resealing.BEFORE_IDS):
        click.echo(f"{_OF_BEFORE}: {key_changes.counted(old)}. `companion keys rotate` gives them the key in use.")


@keys.command()
def new() -> None:
    """Make a key that all services know and none uses yet.

    It goes into the data folder's file. Where the keys stand elsewhere, the new key is printed, once.
    """
    from django.conf import settings

    from companion.clinics import key_changes

    key = key_changes.make()
    if not settings.SECRET_KEYS_FILE_IS_OURS:
        click.echo(f"The key {key.id}. First {key_changes.FIRST_KNOWN}.", err=True)
        click.echo(f"When all know it, {key_changes.THEN_USED}. Then run `companion keys rotate`.", err=True)
        click.echo(key.secret)
        return
    with said_plainly():
        key_changes.add(key)
    click.echo(f"The key {key.id} is in the file secret_key. The services know it within ten seconds, and go on with")
    click.echo(f"the former key until `companion keys use {key.id}`. Copy the file to where you keep your keys.")


@keys.command()
@click.argument("key_id", metavar="ID")
def use(key_id: str) -> None:
    """Seal and sign with the key ID from now on. The keys before go on opening what they sealed."""
    from companion.clinics import key_changes
    from companion.service.clock import database_now

    with said_plainly():
        key_changes.use(key_id, now=database_now())
    click.echo(f"The key {key_id} is in use; the services follow within ten seconds. Then run `companion keys rotate`.")


@keys.command()
def rotate() -> None:
    """Seal everything anew with the key in use, while the services work. Once stopped, it goes on where it was."""
    from companion.clinics import key_changes, resealing
    from companion.service.clock import database_now

    progress = _Progress()
    with said_plainly():
        key_changes.check_none_missing()
        key_changes.check_all_use_it(now=database_now())
        shut = resealing.reseal_all(progress.tell)
        key_changes.record_rotation(now=database_now())
    progress.end()
    if shut:
        raise click.ClickException(
            f"{shut:,} rows can't be opened by any key that is known here, and stay as they are. Give back the key "
            f"that sealed them (`companion keys list`) and run this again."
        )
    click.echo("Everything that can be is sealed with the key in use. `companion keys list` says what needs another.")


@keys.command()
@click.argument("key_id", metavar="ID")
@click.option("--lost", is_flag=True, help="The key is lost: what it sealed can never be read again.")
def drop(key_id: str, *, lost: bool) -> None:
    """Forget the key ID, which nothing needs any more."""
    from companion.clinics import key_changes
    from companion.service.clock import database_now

    with said_plainly():
        left_to_do = key_changes.drop(key_id, lost=lost, now=database_now())
    click.echo(f"The key {key_id} is forgotten. {left_to_do}".strip())


class _Progress:
    """The words on standard error while keys rotate."""

    def __init__(self) -> None:
        self._name, self._rows, self._said = "", 0, 0.0

    def tell(self, step: "Step") -> None:
        """Count the batch, and say where we are every few seconds."""
        if step.name != self._name:
            self.end()
            self._name, self._rows = step.name, 0
        self._rows += step.sealed
        if time.monotonic() - self._said > _SAY_EVERY_SECONDS:
            self._say()

    def end(self) -> None:
        """Say what became of the last table."""
        if self._rows:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        click.echo(f"{self._name}: {self._rows:,} rows sealed anew", err=True)
