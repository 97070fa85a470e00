"""`companion key`: API keys for programs.

Only the new key goes to standard output, so that a script can read it; all other lines go to standard error.
"""

import click

from companion.cli.people import CLINIC_HELP, ROLES
from companion.cli.refusals import plain_errors

_Given = str | tuple[str, ...] | None


def _not_empty(_context: click.Context, option: click.Parameter, value: _Given) -> _Given:
    """Refuse an empty limit, as a script with an unset variable gives it: the key would be without this limit."""
    given = value if isinstance(value, tuple) else () if value is None else (value,)
    if not all(each.strip(" ,") for each in given):
        raise click.BadParameter("Give a value, or leave this option out.", param=option)
    return value


@click.group()
def key() -> None:
    """Keys for programs that use the API."""


@key.command("add")
@click.argument("name")
@click.option("--role", type=ROLES, default="provider", show_default=True, help="What the program may do.")
@click.option("--scope", "scopes", multiple=True, help="A part of the API that the key may use; may be repeated.")
@click.option(
    "--network",
    "networks",
    multiple=True,
    callback=_not_empty,
    help="A network from which the key may be used; may be repeated.",
)
@click.option("--expires", "expires_on", metavar="YYYY-MM-DD", callback=_not_empty, help="The key's last day.")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def add_key(
    name: str, role: str, scopes: tuple[str, ...], networks: tuple[str, ...], expires_on: str | None, slug: str | None
) -> None:
    """Make an API key and print it. It can't be shown again."""
    from companion.clinics import api_keys, clinics
    from companion.clinics.key_limits import KeyLimits
    from companion.service.clock import database_now

    with plain_errors():
        clinic = clinics.the_clinic(slug)
        limits = KeyLimits(scopes, ",".join(networks), expires_on or "")
        row, secret = api_keys.make_key(clinic, name, role, limits, now=database_now())
    click.echo(f"The key {row.name} is {row.role} of {clinic.name}. Store it now: it is not shown again.", err=True)
    click.echo(secret)


@key.command("list")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def list_keys(slug: str | None) -> None:
    """List the keys, valid keys first: name, first characters, role, scopes, state, last use, networks."""
    from companion.clinics import api_keys, clinics
    from companion.service.clock import database_now

    with plain_errors():
        now = database_now()
        rows = list(api_keys.keys_of(clinics.the_clinic(slug, archived=True)))
    for row in rows:
        used = f"{row.last_used_at:%Y-%m-%d %H:%M} UTC" if row.last_used_at else "never used"
        scopes = ",".join(row.scopes) or "all"
        networks = ",".join(row.networks) or "all"
        click.echo("\t".join([row.name, row.prefix, row.role, scopes, api_keys.state_of(row, now=now), used, networks]))


@key.command("revoke")
@click.argument("name")
@click.option("--clinic", "slug", help=CLINIC_HELP)
def revoke_key(name: str, slug: str | None) -> None:
    """Revoke a key at once and for good."""
    from companion.clinics import api_keys, clinics, members
    from companion.service.clock import database_now

    with plain_errors():
        clinic = clinics.the_clinic(slug, archived=True)
        api_keys.revoke(members.command_line(clinic), api_keys.key_called(clinic, name), now=database_now())
    click.echo(f"The key {name} is revoked: its program can't use the API any more.", err=True)
