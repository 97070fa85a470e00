"""Instants as options of a command."""

import datetime as dt
from typing import Final

import click


class _Instant(click.ParamType[dt.datetime]):
    """An instant with its offset from UTC."""

    name = "instant"

    def convert(
        self, value: str | dt.datetime, param: click.Parameter | None, context: click.Context | None
    ) -> dt.datetime:
        """Read the instant. Raises click.BadParameter."""
        try:
            at = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.fail("Write an instant with its offset from UTC, like 2026-12-01T08:00:00Z.", param, context)
        return at


INSTANT: Final = _Instant()
