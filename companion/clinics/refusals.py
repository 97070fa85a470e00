"""The errors by which a room refuses: a value is wrong, or the state forbids the act. Pages and the API show them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A wrong value: the field as the API names it ("recurrence.weekdays"), and a sentence for people."""

    field: str
    message: str


class Refused(Exception):
    """Wrong values (HTTP 422). Nothing was stored. The error's text names the fields but never their values."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(", ".join(problem.field for problem in problems))


def no_cursor() -> Refused:
    """Return the refusal of a cursor that the list didn't give."""
    return Refused(Problem("cursor", "This is no cursor of this list. Begin again without a cursor."))


class Conflict(Exception):
    """A refusal because of the object's state (HTTP 409). The message is for people and says what to do."""


class Unknown(Exception):
    """The clinic has no such row (HTTP 404)."""
