"""The ways in which a room refuses: a value is wrong, or the state forbids it. Pages and the API turn them into
words.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A wrong value: the field as the API names it ("recurrence.weekdays"), and a sentence for people."""

    field: str
    message: str


class Refused(Exception):
    """Values that are refused (HTTP 422). Nothing was stored. The error's text names the fields and never their
    values.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(", ".join(problem.field for problem in problems))


class Conflict(Exception):
    """A refusal because of the state (HTTP 409); the message is for people and says what to do."""


class Unknown(Exception):
    """The clinic has no such row (HTTP 404)."""
