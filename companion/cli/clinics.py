"""`companion clinic` and `companion operator`: the clinics of this installation, and the people who run it."""

from pathlib import Path

import click

from companion.cli.refusals import plain_errors
from companion.cli.restoring import passphrase


@click.group()
def clinic() -> None:
    """Clinics: separate from each other, on one installation."""


@clinic.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="The name that patients read.")
@click.option("--timezone", default="UTC", show_default=True, help="An IANA name, like Europe/Berlin.")
def add_clinic(slug: str, name: str, timezone: str) -> None:
    """Add a clinic. SLUG names it in commands and files, like linden-clinic."""
    from companion.clinics import register
    from companion.service.clock import database_now

    with plain_errors():
        added = register.add(slug, name, timezone, now=database_now())
    click.echo(f"{added.name} is added. Add an admin: companion member add EMAIL --role admin --clinic {slug}")


@clinic.command("list")
def list_clinics() -> None:
    """List the clinics: slug, name, members, state."""
    from companion.clinics import register

    with plain_errors():
        for row in register.all_clinics():
            state = f"archived {row.archived_at:%Y-%m-%d}" if row.archived_at else "in use"
            click.echo("\t".join([row.slug, row.name, str(row.people), state]))


@clinic.command("rename")
@click.argument("slug")
@click.argument("name")
def rename_clinic(slug: str, name: str) -> None:
    """Give a clinic another name. Its slug stays."""
    from companion.clinics import register
    from companion.service.clock import database_now

    with plain_errors():
        renamed = register.rename(register.called(slug), name, now=database_now())
    click.echo(f"{slug} is now {renamed.name}.")


@clinic.command("archive")
@click.argument("slug")
@click.option("--undo", is_flag=True, help="Open an archived clinic again. Its plans stay ended.")
def archive_clinic(slug: str, *, undo: bool) -> None:
    """End a clinic's plans and close it for members, keys and the bot. Its data stays."""
    from companion.clinics import register
    from companion.planning import archiving
    from companion.service.clock import database_now

    with plain_errors():
        named = register.called(slug)
        (archiving.reopen if undo else archiving.archive)(named, now=database_now())
    click.echo(f"{named.name} is {'open again' if undo else 'archived: nothing is planned or sent for it'}.")


@clinic.command("remove")
@click.argument("slug")
@click.option(
    "--export",
    "file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, into which all of the clinic's data is written first, encrypted.",
)
@click.option("--recipient", "recipients", multiple=True, help="Encrypt to this age key (age1…); may be given again.")
@click.option("--name", help="The clinic's name, instead of typing it when asked.")
def remove_clinic(slug: str, file: Path, recipients: tuple[str, ...], name: str | None) -> None:
    """Remove an archived clinic for good, after an export into a file. Only its audit trail stays."""
    from companion.clinics import chain, register
    from companion.restoring import removing
    from companion.restoring.sealing import Lock
    from companion.service.clock import database_now

    with plain_errors():
        named = register.archived(slug)
        typed = name if name is not None else click.prompt(f"Type the name of the clinic {slug} to remove it for good")
        if typed.strip() != named.name:
            raise click.ClickException("That is not the clinic's name. Nothing was removed.")
        now = database_now()
        rows = removing.export(named, file, Lock(recipients, passphrase()), now=now)
        id = named.pk
        removing.remove(named, now=now)
        chain.catch_up(id)
    click.echo(f"{named.name} is removed. {rows} rows are in {file}, encrypted. Earlier backups still hold them.")
    click.echo("Its audit trail stays. Keep this command, which finds whether somebody removes entries from it:")
    click.echo(f"companion audit verify --clinic {id} --last {chain.head(id)}")


@click.group()
def operator() -> None:
    """People who run this installation: they see the page of all clinics."""


@operator.command("add")
@click.argument("email")
def add_operator(email: str) -> None:
    """Make a member an operator, and print a one-time sign-in link for this person.

    The account's password, second steps, passkeys and sessions end, since another clinic's admin may have made them.
    """
    from companion.clinics import operators, sign_in_links
    from companion.service.clock import database_now

    with plain_errors():
        now = database_now()
        member = operators.add(email, now=now)
        link = sign_in_links.operators_link(member, now=now)
    click.echo(f"{member.user.email} is an operator, and sees the page /clinics. All that opened the account", err=True)
    click.echo("has ended. Give the person this link, which works once, within a day:", err=True)
    click.echo(link)


@operator.command("list")
def list_operators() -> None:
    """List the operators."""
    from companion.clinics import operators

    with plain_errors():
        for user in operators.all_operators():
            click.echo(user.email)


@operator.command("remove")
@click.argument("email")
def remove_operator(email: str) -> None:
    """Take the operator's page from a person. The person's memberships in clinics stay."""
    from companion.clinics import operators
    from companion.service.clock import database_now

    with plain_errors():
        user = operators.remove(email, now=database_now())
    click.echo(f"{user.email} is no operator any more.")
