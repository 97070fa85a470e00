"""`companion unknown`: list messages that may or may not have arrived, and decide about many at once."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec
from uuid import UUID

import click

from companion.cli.instants import INSTANT
from companion.cli.people import CLINIC_HELP
from companion.cli.refusals import plain_errors

if TYPE_CHECKING:
    from companion.panel.actions import Unknowns

P = ParamSpec("P")


@click.group()
def unknown() -> None:
    """Messages that may or may not have arrived: list them, and decide about many at once."""


def _selection(command: Callable[Concatenate["Unknowns", P], None]) -> Callable[..., None]:
    """Add options that select messages to a command, which gets the selection as its first argument."""

    @click.option("--id", "ids", multiple=True, type=click.UUID, help="This message; may be given again.")
    @click.option("--schedule", type=click.UUID, help="Messages of this schedule.")
    @click.option("--from", "due_from", type=INSTANT, help="Messages due at this instant or later.")
    @click.option("--to", "due_to", type=INSTANT, help="Messages due at this instant or earlier.")
    @click.option(
        "--cause",
        type=click.Choice(["restore", "line", "no-trace"]),
        help="Messages that a restore held, whose connection broke, or of which Telegram shows no trace.",
    )
    @wraps(command)
    def selecting(
        ids: tuple[UUID, ...],
        schedule: UUID | None,
        due_from: dt.datetime | None,
        due_to: dt.datetime | None,
        cause: str | None,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        from companion.panel.actions import CAUSES, Unknowns

        of_cause = CAUSES[cause] if cause else Unknowns()
        which = replace(of_cause, ids=ids or None, schedule=schedule, due_from=due_from, due_to=due_to)
        command(which, *args, **kwargs)

    return selecting


@unknown.command("list")
@click.option("--clinic", "slug", help=CLINIC_HELP)
@_selection
def list_unknown(which: "Unknowns", slug: str | None) -> None:
    """List the undecided messages, the newest first: id, due instant, schedule, cause. Without options: all.

    "no-trace": we looked in the chat and did not find the message. Even so, it may arrive twice if it is sent again.
    """
    from companion.clinics import clinics
    from companion.panel import actions
    from companion.service.clock import database_now

    with plain_errors():
        messages = actions.undecided_of(clinics.the_clinic(slug), which, now=database_now())
    for message in messages.iterator():
        due = message.due_at.isoformat(timespec="seconds")
        cause = "restore" if message.held_by_restore else "line"
        no_trace = " no-trace" if message.no_trace_at else ""
        click.echo(f"{message.pk} {due} {message.schedule_id or '-'} {cause}{no_trace}")


@unknown.command("decide")
@click.argument("decision", type=click.Choice(["resend", "arrived", "leave"]))
@click.option("--clinic", "slug", help=CLINIC_HELP)
@_selection
def decide(which: "Unknowns", decision: str, slug: str | None) -> None:
    """Decide about all messages that match every given option; at least one option is needed.

    resend: send the messages again; they may arrive twice. arrived: the patients say that they got them. leave: send
    nothing.
    """
    from companion.clinics import clinics, members
    from companion.panel import actions
    from companion.panel.actions import Decision, Unknowns
    from companion.service.clock import database_now

    if which == Unknowns():
        raise click.UsageError("Say which messages are meant: --id, --schedule, --from, --to or --cause.")
    total = 0
    with plain_errors():
        caller = members.command_line(clinics.the_clinic(slug))
        while True:
            decided = actions.decide_many(caller, which, Decision(decision), now=database_now())
            total += decided.done
            if not decided.done or not decided.left:
                break
    click.echo(f"Decided about {total} {'message' if total == 1 else 'messages'}: {decision}.")
    if decided.left:
        raise click.ClickException(
            f"This decision is not possible for {decided.left} of them. List them, and look at their pages."
        )
