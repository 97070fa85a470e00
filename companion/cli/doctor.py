"""`companion doctor`: the results of all checks, with advice, and the settings in force, with secrets masked.

Exit status 0: all is well, 1: warnings, 2: something is down. panel/diagnostics.py holds the checks.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from companion.cli.ready import ready

if TYPE_CHECKING:
    from companion.panel.check import CheckResult, Result
    from companion.panel.health import HealthReport

_SIGNS: Final = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}
_TONES: Final = {"ok": "green", "degraded": "yellow", "down": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@click.option(
    "--probe-ids",
    is_flag=True,
    help="Instead of the checks: send two messages to an admin's chat, and check that Telegram numbers them as the "
    "proof of unknown outcomes assumes. Needs a running dispatcher and listener.",
)
@click.option("--admin", "email", help="With --probe-ids: this admin, who has given a Telegram ID for alerts.")
@click.option("--clinic", "slug", help="With --probe-ids: the clinic's slug, if there are several clinics.")
def doctor(as_json: bool, probe_ids: bool, email: str | None, slug: str | None) -> None:
    """Run all checks and say what to do. Exit status 0: all is well, 1: warnings, 2: something is down."""
    if (email or slug) and not probe_ids:
        raise click.UsageError("--admin and --clinic go with --probe-ids.")
    try:
        ready()
        _check_drill()
        if probe_ids:
            sys.exit(_probe_ids(email, slug, as_json=as_json))
    except click.ClickException as wrong:
        # Nothing can run with a wrong setting, so the exit status is 2 and not click's 1.
        wrong.show()
        sys.exit(2)
    from companion.panel import diagnostics, health

    report = health.check_from_outside_now()
    checks = diagnostics.run(now=report.checked_at)
    if as_json:
        _print_json(report, checks)
    else:
        _print_words(report, checks)
    sys.exit(exit_status(report, checks))


def _probe_ids(email: str | None, slug: str | None, *, as_json: bool) -> int:
    """Check how Telegram numbers messages, and return the exit status."""
    from companion.cli.ready import check_tables
    from companion.cli.refusals import plain_errors
    from companion.clinics import clinics
    from companion.panel import message_numbers

    with plain_errors():
        check_tables()
        contact = message_numbers.admin_of(clinics.the_clinic(slug), email)
        click.echo(f"Two messages go to the chat of {contact.member.user.email}.", err=True)
        checks = list(message_numbers.check(contact))
    if as_json:
        click.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2, ensure_ascii=False))
    else:
        _print_checks(checks)
    return worst([check.result for check in checks])


def _check_drill() -> None:
    """Raise click.ClickException if the checks would call outside addresses although this is a drill's database."""
    from django.db import Error

    from companion.cli import prepare
    from companion.cli.refusals import plain_errors

    with plain_errors(), suppress(Error):
        # If the database can't be reached or lacks tables, the checks report this.
        prepare.check_drill()


def exit_status(report: "HealthReport", checks: "list[CheckResult]") -> int:
    """Return the exit status: 2 if something is down or failed, 1 if there are warnings, else 0."""
    of_health: dict[str, Result] = {"down": "failed", "degraded": "warning"}
    return worst([of_health.get(report.status, "ok"), *(check.result for check in checks)])


def worst(results: Sequence["Result"]) -> int:
    """The exit status for these results."""
    if "failed" in results:
        return 2
    return 1 if "warning" in results else 0


def effective_settings() -> dict[str, object]:
    """Return the settings in force by the names of their variables. Of a secret it says only whether it is set."""
    from django.conf import settings
    from pydantic import SecretStr

    shown: dict[str, object] = {}
    for name, value in settings.COMPANION:
        shown[f"COMPANION_{name.upper()}"] = "(set, not shown)" if isinstance(value, SecretStr) else value
    if settings.COMPANION.database_url is None:
        shown["COMPANION_DATABASE_URL"] = f"(not set: SQLite, {settings.DATABASES['default']['NAME']})"
    shown["COMPANION_DATA_DIR"] = str(settings.DATA_DIR)
    return shown


def _print_json(report: "HealthReport", checks: "list[CheckResult]") -> None:
    everything = {
        "status": report.status,
        "health": asdict(report),
        "checks": [asdict(check) for check in checks],
        "settings": effective_settings(),
    }
    click.echo(json.dumps(everything, indent=2, default=str, ensure_ascii=False))


def _print_words(report: "HealthReport", checks: "list[CheckResult]") -> None:
    from companion.panel import health

    click.secho(f"Health: {report.status}", fg=_TONES[report.status], bold=True, nl=False)
    click.echo(f" (by layer {report.source}). {health.sentence(report)}")
    for layer in report.layers:
        click.echo(f"    {layer.layer}: {layer.status}. {layer.detail}")
    _print_checks(checks)
    click.secho("\nSettings in force", bold=True)
    for name, value in effective_settings().items():
        click.echo(f"  {name} = {'' if value is None else value}")


def _print_checks(checks: "list[CheckResult]") -> None:
    group = ""
    for check in checks:
        if check.group != group:
            group = check.group
            click.secho(f"\n{group}", bold=True)
        sign, colour = _SIGNS[check.result]
        click.secho(f"  {sign} ", fg=colour, nl=False)
        click.echo(f"{check.name}: {check.value}")
        if check.advice:
            click.echo(f"    → {check.advice}")
