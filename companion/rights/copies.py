"""Copies of patients' data in rooms above this room: drafts of forms, kept answers of the API.

A room that keeps such copies says here, when its app is ready, how it forgets them, or follows a merge. So nothing has
to climb to it.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from companion.clinics.models import Clinic

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Erased:
    """The ids that an erasure removes: of the patient, the messages, and the schedules that reach nobody else."""

    clinic: Clinic
    ids: frozenset[uuid.UUID]
    schedules: frozenset[uuid.UUID]

    def is_named_in(self, text: str) -> bool:
        """Return whether this JSON names one of these ids."""
        named = {uuid.UUID(one) for one in _ID.findall(text)}
        return not named.isdisjoint(self.ids | self.schedules)


Forget = Callable[[Erased], None]
_forgets: Final[list[Forget]] = []


def forget_by(forget: Forget) -> None:
    """Call this function at each erasure, in its transaction."""
    _forgets.append(forget)


def forget(erased: Erased) -> None:
    """Forget all copies."""
    for one in _forgets:
        one(erased)


@dataclass(frozen=True, slots=True)
class Moved:
    """A merge: the patient who is gone, and the patient who goes on."""

    clinic: Clinic
    gone: uuid.UUID
    into: uuid.UUID


Move = Callable[[Moved], None]
_moves: Final[list[Move]] = []


def move_by(move: Move) -> None:
    """Call this function at each merge, in its transaction."""
    _moves.append(move)


def move(moved: Moved) -> None:
    """Let all copies follow."""
    for one in _moves:
        one(moved)
