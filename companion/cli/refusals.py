"""Turn a refusal into one plain line on a terminal, with exit status 1 and no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def said_plainly() -> Iterator[None]:
    """Wrap a command's work: Refused, Conflict and Unknown become their sentences."""
    from companion.clinics.refusals import Conflict, Refused, Unknown

    try:
        yield
    except Refused as refusal:
        lines = [f"{problem.field}: {problem.message}" for problem in refusal.problems]
        raise click.ClickException("\n".join(lines)) from None
    except (Conflict, Unknown) as no:
        raise click.ClickException(str(no)) from None
