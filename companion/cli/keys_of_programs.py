"""`companion key`: API keys for programs.

A new key, which a script may need, goes to standard output alone; the words around it go to standard error.
"""

import click

from companion.cli.people import CLINIC_HELP, ROLES
from companion.cli.refusals import said_plainly


@click.group()
def key() -> None:
    """Keys for programs that use the API."""


@key.command("add")
@click.argument("name")
@click.option("--role", type=ROLES, default="provider", show_default=True, help="What the program may do.")
@click.option("--scope", "scopes", multiple=True, help="A part of the API that the key may use; may be repeated.")
@click.option("--network", "networks", multiple=True, help="A network from which it may be used; may be repeated.")
@click.option("--expires", "expires_on", default="", metavar="YYYY-MM-DD", help="The key's last day.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def add_key(
    name: str, role: str, scopes: tuple[str, ...], networks: tuple[str, ...], expires_on: str, slug: str | None
) -> None:
    """Make an API key and print it, once; it can't be shown again."""
    from companion.clinics import api_keys, clinics
    from companion.clinics.key_limits import KeyLimits
    from companion.service.clock import database_now

    with said_plainly():
        clinic = clinics.the_clinic(slug)
        limits = KeyLimits(scopes, ",".join(networks), expires_on)
        made, secret = api_keys.make_key(clinic, name, role, limits, now=database_now())
    click.echo(f"The key {made.name} is {made.role} of {clinic.name}. Keep it now: it is not shown again.", err=True)
    click.echo(secret)


@key.command("list")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def list_keys(slug: str | None) -> None:
    """List the keys, those in use first: name, beginning, role, scopes, state, last use."""
    from companion.clinics import api_keys, clinics
    from companion.service.clock import database_now

    with said_plainly():
        now = database_now()
        found = list(api_keys.keys_of(clinics.the_clinic(slug)))
    for one in found:
        used = f"{one.last_used_at:%Y-%m-%d %H:%M} UTC" if one.last_used_at else "never used"
        scopes = ",".join(one.scopes) or "all"
        click.echo("\t".join([one.name, one.prefix, one.role, scopes, api_keys.state_of(one, now=now), used]))


@key.command("revoke")
@click.argument("name")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def revoke_key(name: str, slug: str | None) -> None:
    """End a key at once and for good."""
    from companion.clinics import api_keys, clinics, members
    from companion.service.clock import database_now

    with said_plainly():
        clinic = clinics.the_clinic(slug)
        api_keys.revoke(members.command_line(clinic), api_keys.key_called(clinic, name), now=database_now())
    click.echo(f"The key {name} is revoked: its program is locked out.", err=True)
