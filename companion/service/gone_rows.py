"""Errors of acts on a row that another transaction removed at the same moment, which only the database can notice."""

from typing import Final

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from psycopg.errors import ForeignKeyViolation

SENTENCE: Final = "A part of this was removed at this very moment. Open it again and look before you go on."
_SQLITE: Final = "FOREIGN KEY constraint failed"


def is_about_a_gone_row(error: object) -> bool:
    """Return whether the error says that a row of the act was removed, or a row to which it refers."""
    if isinstance(error, ObjectDoesNotExist):
        return True
    if not isinstance(error, IntegrityError):
        return False
    return isinstance(error.__cause__, ForeignKeyViolation) or str(error) == _SQLITE
