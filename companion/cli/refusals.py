"""Show an error that people can solve as a plain sentence, with exit status 1 and without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn Refused, Conflict, Unknown and an outage of the database into click.ClickException with their sentences."""
    from django.db import Error

    from companion.clinics.refusals import Conflict, Refused, Unknown
    from companion.service.outages import trouble_of

    try:
        yield
    except Refused as refusal:
        lines = [f"{problem.field}: {problem.message}" for problem in refusal.problems]
        raise click.ClickException("\n".join(lines)) from None
    except (Conflict, Unknown) as refusal:
        raise click.ClickException(str(refusal)) from None
    except Error as error:
        if trouble := trouble_of(error):
            raise click.ClickException(trouble.sentences) from None
        raise
