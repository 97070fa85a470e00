"""Turn a refusal into one plain line on a terminal, with exit status 1 and no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def said_plainly() -> Iterator[None]:
    """Wrap a command's work: Refused, Conflict, Unknown and an outage of the database become their sentences."""
    from django.db import Error

    from companion.clinics.refusals import Conflict, Refused, Unknown
    from companion.service.outages import trouble_of

    try:
        yield
    except Refused as refusal:
        lines = [f"{problem.field}: {problem.message}" for problem in refusal.problems]
        raise click.ClickException("\n".join(lines)) from None
    except (Conflict, Unknown) as no:
        raise click.ClickException(str(no)) from None
    except Error as error:
        if trouble := trouble_of(error):
            raise click.ClickException(trouble.sentences) from None
        raise
