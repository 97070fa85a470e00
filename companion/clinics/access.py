"""The caller and the caller's rights: the one place that enforces roles, for pages and programs alike."""

import uuid
from dataclasses import dataclass
from typing import Literal

from companion.clinics.models import Clinic, Role

_ORDER = [Role.VIEWER, Role.PROVIDER, Role.ADMIN]


class NotAllowed(Exception):
    """The caller's role doesn't allow this; the message is for people."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The member, API key or own service that acts, always within one clinic. Every query starts from `clinic`."""

    clinic: Clinic
    kind: Literal["member", "key", "service"]
    id: uuid.UUID | None
    name: str
    role: Role

    def may(self, needed: Role) -> bool:
        """Return whether the caller's role includes `needed`."""
        return _ORDER.index(self.role) >= _ORDER.index(needed)

    def needs(self, needed: Role) -> None:
        """Raise NotAllowed unless the caller's role includes `needed`."""
        if not self.may(needed):
            raise NotAllowed(f"You need the {needed.label} role for this. Ask an admin of your clinic.")
