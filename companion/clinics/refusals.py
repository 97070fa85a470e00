"""How a room says no: a value is wrong, or the state forbids it. Pages and the API turn these into words and codes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong value: the field as the API names it ("recurrence.weekdays"), and a sentence for people."""

    field: str
    message: str


class Refused(Exception):
    """Values that can't be taken (HTTP 422). Nothing was stored. Its text names fields only, never what was given."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(", ".join(problem.field for problem in problems))


class Conflict(Exception):
    """The state forbids it (HTTP 409); the message is for people and says what to do."""


class Unknown(Exception):
    """No such row in this clinic (HTTP 404)."""
