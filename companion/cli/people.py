"""`companion member`: people who sign in.

Only the link goes to standard output, so that a script can read it; all other lines go to standard error.
"""

from typing import Final

import click

from companion.cli.refusals import plain_errors

ROLES: Final = click.Choice(["viewer", "provider", "admin"])
CLINIC_HELP: Final = "The clinic's slug, if there are several clinics."


@click.group()
def member() -> None:
    """People who sign in."""


@member.command("add")
@click.argument("email")
@click.option("--role", type=ROLES, help="What they may do. Default: provider; of a member, the present role.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
@click.option("--reset", is_flag=True, help="First remove the account's password, second steps, passkeys and sessions.")
def add_member(email: str, role: str | None, slug: str | None, *, reset: bool) -> None:
    """Add a member (or change a member's role) and print a one-time sign-in link."""
    from companion.clinics import clinics, members, sign_in_links
    from companion.service.clock import database_now

    with plain_errors():
        clinic = clinics.the_clinic(slug)
        now = database_now()
        added = members.add_member(clinic, email, role, now=now)
        if reset:
            sign_in_links.shut(added, now=now)
        link = sign_in_links.operators_link(added, now=now)
    click.echo(f"{added.user.email} is {added.role} of {clinic.name}. Use this link once, within a day:", err=True)
    click.echo(link)


@member.command("list")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def list_members(slug: str | None) -> None:
    """List the members: address, role, and whether they accepted the invitation."""
    from companion.clinics import clinics, members

    with plain_errors():
        rows = list(members.members_of(clinics.the_clinic(slug, archived=True)))
    for row in rows:
        click.echo(f"{row.user.email}\t{row.role}\t{'joined' if row.joined_at else 'invited'}")


@member.command("role")
@click.argument("email")
@click.argument("role", type=ROLES)
@click.option("--clinic", "slug", help=CLINIC_HELP)
def change_role(email: str, role: str, slug: str | None) -> None:
    """Give a member another role."""
    from companion.clinics import clinics, members
    from companion.service.clock import database_now

    with plain_errors():
        named = members.the_member(clinics.the_clinic(slug), email)
        changed = members.change_role(members.command_line(named.clinic), named, role, now=database_now())
    click.echo(f"{changed.user.email} is {changed.role} of {changed.clinic.name}.", err=True)


@member.command("remove")
@click.argument("email")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def remove_member(email: str, slug: str | None) -> None:
    """End a membership. The person's account and other clinics stay."""
    from companion.clinics import clinics, members
    from companion.service.clock import database_now

    with plain_errors():
        leaving = members.the_member(clinics.the_clinic(slug, archived=True), email)
        members.remove_member(members.command_line(leaving.clinic), leaving, now=database_now())
    click.echo(f"{email} is no longer a member of {leaving.clinic.name}.", err=True)


@member.command("sign-out")
@click.argument("email")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def sign_out(email: str, slug: str | None) -> None:
    """End all sessions of a member, in every clinic. Password and second steps stay."""
    from companion.clinics import clinics, members
    from companion.service.clock import database_now

    with plain_errors():
        clinic = clinics.the_clinic(slug, archived=True)
        for named in members.members_called(clinic, email) or [members.the_member(clinic, email)]:
            members.sign_out(members.command_line(clinic), named, now=database_now())
    click.echo(f"All sessions of {email} were ended.", err=True)
