"""The command `companion` and its subcommands, which the other files of this room define.

This file and its imports don't load Django, so that `companion --help` answers at once.
"""

import sys
from typing import Final

import click

from companion.cli.audit import audit
from companion.cli.clinics import clinic, operator
from companion.cli.doctor import doctor
from companion.cli.keys import keys
from companion.cli.keys_of_programs import key
from companion.cli.maintenance import maintenance
from companion.cli.patients import patients
from companion.cli.people import member
from companion.cli.ready import ready_with_tables
from companion.cli.restoring import backup, restore, restored, resume
from companion.cli.services import dispatcher, listener, migrate, web
from companion.cli.unknown import unknown
from companion.cli.up import up
from companion.service.act_origin import act_as_operator

_NEED_DJANGO: Final = (
    "clinic",
    "operator",
    "member",
    "key",
    "patients",
    "backup",
    "restored",
    "resume",
    "unknown",
    "maintenance",
    "keys",
    "audit",
)
"""The commands for which main() loads Django and checks the tables. The other commands load Django themselves."""
_WORK_WITHOUT_KEYS: Final = ("backup", "keys", "audit")
"""The commands that also work while a secret key is missing."""
SERVICES: Final = ("up", "web", "dispatcher", "listener")
"""Commands that keep running and act for other people. All other commands are acts of the operator."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="companion", prog_name="companion")
@click.pass_context
def main(context: click.Context) -> None:
    """AI Companion Scheduler: plans messages to patients and delivers them by Telegram.

    Settings are environment variables that begin with COMPANION_; `companion doctor` shows them.
    """
    if context.invoked_subcommand not in SERVICES:
        act_as_operator()
    if context.invoked_subcommand in _NEED_DJANGO and not {"-h", "--help"} & set(sys.argv):
        ready_with_tables(with_keys=context.invoked_subcommand not in _WORK_WITHOUT_KEYS)


for command in (
    up,
    web,
    dispatcher,
    listener,
    migrate,
    doctor,
    clinic,
    operator,
    member,
    key,
    patients,
    backup,
    restore,
    restored,
    resume,
    unknown,
    maintenance,
    keys,
    audit,
):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="companion")
