"""Copies of patients' data in rooms above this room: drafts of forms, stored answers of the API.

A room that keeps such copies registers here, when its app is ready, the functions that forget copies or follow a merge.
So nothing below has to import that room.
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
    """The ids that an erasure removes: of the patient, of patients who were merged into this patient, of the messages,
    and of schedules without other patients.
    """

    clinic: Clinic
    ids: frozenset[uuid.UUID]
    schedules: frozenset[uuid.UUID]

    def is_named_in(self, text: str) -> bool:
        """Return whether this JSON contains one of these ids."""
        named = {uuid.UUID(id) for id in _ID.findall(text)}
        return not named.isdisjoint(self.ids | self.schedules)


Forget = Callable[[Erased], None]
_forgets: Final[list[Forget]] = []


def forget_by(forget: Forget) -> None:
    """Register a function that is called at each erasure, in its transaction."""
    _forgets.append(forget)


def forget(erased: Erased) -> None:
    """Let all registered functions forget their copies."""
    for forget_copies in _forgets:
        forget_copies(erased)


@dataclass(frozen=True, slots=True)
class Moved:
    """A merge: the id of the patient who is gone, and the id of the patient who remains."""

    clinic: Clinic
    gone: uuid.UUID
    into: uuid.UUID


Move = Callable[[Moved], None]
_moves: Final[list[Move]] = []


def move_by(move: Move) -> None:
    """Register a function that is called at each merge, in its transaction."""
    _moves.append(move)


def move(moved: Moved) -> None:
    """Let all registered functions follow the merge."""
    for move_copies in _moves:
        move_copies(moved)
