"""The caller and the caller's rights. All pages and API calls enforce roles by this module."""

import uuid
from dataclasses import dataclass
from typing import Final, Literal

from django.http import HttpRequest

from companion.clinics.models import Clinic, Role, Scope

_ORDER: Final = [Role.VIEWER, Role.PROVIDER, Role.ADMIN]


class NotAllowed(Exception):
    """The caller's role doesn't allow this; the message is for people."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The member, API key, service of ours or operator who acts, always within one clinic.

    Every query starts from `clinic`.
    """

    clinic: Clinic
    kind: Literal["member", "key", "service", "operator", "patient"]
    id: uuid.UUID | None
    name: str
    role: Role
    scopes: frozenset[str] = frozenset()
    """The Scopes to which an API key is limited; empty: the key may use the whole API."""
    on_behalf_of: str = ""
    """The person for whom a program acts."""

    def may(self, needed: Role) -> bool:
        """Return whether the caller's role includes `needed`."""
        return _ORDER.index(self.role) >= _ORDER.index(needed)

    def needs_scope(self, scope: Scope) -> None:
        """Raise NotAllowed if the caller is a key that is limited to other parts of the API."""
        if self.scopes and scope not in self.scopes:
            raise NotAllowed(f"This API key may not use: {scope.label}. An admin sees the key's scopes in Settings.")

    def needs(self, needed: Role) -> None:
        """Raise NotAllowed unless the caller's role includes `needed`."""
        if not self.may(needed):
            raise NotAllowed(f"You need the {needed.label} role for this. Ask an admin of your clinic.")


class CallerRequest(HttpRequest):
    """A request of a known caller. The log's line about the request names the caller, also if the call is refused."""

    caller: Caller
