"""`companion member` and `companion key`: people who sign in, and keys for programs.

The link or the key, which a script may need, goes to standard output alone; the words around it go to standard error.
"""

import click

from companion.cli.refusals import said_plainly

ROLES = click.Choice(["viewer", "provider", "admin"])
CLINIC_HELP = "The clinic's slug, where there is more than one."


@click.group()
def member() -> None:
    """People who sign in."""


@member.command("add")
@click.argument("email")
@click.option("--role", type=ROLES, default="provider", show_default=True, help="What they may do.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
@click.option("--reset", is_flag=True, help="End password, second steps, passkeys and sessions of the account first.")
def add_member(email: str, role: str, slug: str | None, *, reset: bool) -> None:
    """Add a person (or change the role of one) and print a one-time sign-in link."""
    from companion.clinics import clinics, members, sign_in_links
    from companion.service.clock import database_now

    with said_plainly():
        clinic = clinics.the_clinic(slug)
        now = database_now()
        added = members.add_member(clinic, email, role, now=now)
        if reset:
            sign_in_links.shut(added, now=now)
        link = sign_in_links.operators_link(added, now=now)
    click.echo(f"{added.user.email} is {added.role} of {clinic.name}. This link signs in once, within a day:", err=True)
    click.echo(link)


@click.group()
def key() -> None:
    """Keys for programs that use the API."""


@key.command("add")
@click.argument("name")
@click.option("--role", type=ROLES, default="provider", show_default=True, help="What the program may do.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def add_key(name: str, role: str, slug: str | None) -> None:
    """Make an API key and print it, once; it can't be shown again."""
    from companion.clinics import api_keys, clinics
    from companion.service.clock import database_now

    with said_plainly():
        clinic = clinics.the_clinic(slug)
        made, secret = api_keys.make_key(clinic, name, role, now=database_now())
    click.echo(f"The key {made.name} is {made.role} of {clinic.name}. Keep it now: it is not shown again.", err=True)
    click.echo(secret)
