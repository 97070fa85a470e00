"""`python -m bench [NAME …] [--quick]`: measure the product on this machine, and print tables. Nothing is kept."""

import importlib
import time
from typing import Final

import click

from bench.grounds import grounds

NAMES: Final = (
    "drain",
    "lag",
    "rate",
    "hang",
    "troubles",
    "pages",
    "importing",
    "syncing",
    "planning",
    "idle",
    "rotate",
    "trail",
)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Smaller figures, in about two minutes.")
def main(names: tuple[str, ...], *, quick: bool) -> None:
    """Measure the product by NAME, or all of it.

    NAME is drain, lag, rate, hang, troubles, pages, importing, syncing, planning, idle, rotate or trail.

    Compare the figures of one run with each other, never those of two machines.
    """
    with grounds() as ground:
        for name in names or NAMES:
            began = time.monotonic()
            importlib.import_module(f"bench.{name}").run(ground, quick=quick)
            click.echo(f"  ({name}: {time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    main()
