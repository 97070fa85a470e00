"""The Scopes that each call needs. An API key with Scopes can call only the parts of the API that they name."""

import re
from typing import Final

from companion.clinics.models import Scope

_ALL_OF_A_PATIENT: Final = frozenset({Scope.PATIENTS, Scope.MESSAGES, Scope.INBOX})
_BY_PATH: Final = (
    # The first matching row decides. A call that reads or changes several parts needs the Scope of each.
    (r"^/api/scheduler/(patients/[^/]+/(export|erase|merge)|messages/[^/]+/evidence)$", _ALL_OF_A_PATIENT),
    (r"^/api/mcp/(unknown(/.*)?|retry)$", frozenset({Scope.CONTROL, Scope.MESSAGES})),
    (r"^/api/scheduler/(inbox|urgent-help|media|patients/[^/]+/conversation)(/|$)", frozenset({Scope.INBOX})),
    (r"^/api/scheduler/(schedules|messages)(/|$)", frozenset({Scope.MESSAGES})),
    (
        r"^/api/scheduler/(patients|cohorts|opt-outs|enrolments|enrolment-notes|patient-pauses|patient-sources"
        r"|sync-runs)(/|$)",
        frozenset({Scope.PATIENTS}),
    ),
    (r"^/(api/mcp/|api/scheduler/health$|metrics$)", frozenset({Scope.CONTROL})),
)


def scopes_of(path: str) -> frozenset[Scope]:
    """Return the Scopes that the call with this path needs. Raises LookupError for a path that no row names."""
    for pattern, scopes in _BY_PATH:
        if re.search(pattern, path):
            return scopes
    raise LookupError(path)
