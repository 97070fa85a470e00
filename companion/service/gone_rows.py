"""Changes that refer to a row which another transaction removed at the same moment. Only the database notices it."""

from typing import Final

from django.db import IntegrityError
from psycopg.errors import ForeignKeyViolation

SENTENCE: Final = "Something that this refers to was removed at this very moment. Look at it again first."
_SQLITE: Final = "FOREIGN KEY constraint failed"


def refers_to_a_gone_row(error: object) -> bool:
    """Whether the error says that a row is gone to which the change refers."""
    return isinstance(error, IntegrityError) and (
        isinstance(error.__cause__, ForeignKeyViolation) or str(error) == _SQLITE
    )
