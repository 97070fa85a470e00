"""Changes that meet a row which another transaction removed at the same moment. Only the database notices it."""

from typing import Final

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from psycopg.errors import ForeignKeyViolation

SENTENCE: Final = "Something that this is about was removed at this very moment. Look at it again first."
_SQLITE: Final = "FOREIGN KEY constraint failed"


def is_about_a_gone_row(error: object) -> bool:
    """Return whether the error says that a row of the act is gone, or a row to which it refers."""
    if isinstance(error, ObjectDoesNotExist):
        return True
    if not isinstance(error, IntegrityError):
        return False
    return isinstance(error.__cause__, ForeignKeyViolation) or str(error) == _SQLITE
