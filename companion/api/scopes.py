"""The Scope of each call: an API key that is limited to some parts of the API gets no further than those."""

import re
from typing import Final

from companion.clinics.models import Scope

_BY_PATH: Final = (
    # The first matching row decides.
    (re.compile(r"^/api/scheduler/(inbox|urgent-help|media|patients/[^/]+/conversation)(/|$)"), Scope.INBOX),
    (re.compile(r"^/api/scheduler/(schedules|messages)(/|$)"), Scope.MESSAGES),
    (
        re.compile(
            r"^/api/scheduler/(patients|cohorts|opt-outs|enrolments|enrolment-notes|patient-pauses|patient-sources"
            r"|sync-runs)(/|$)"
        ),
        Scope.PATIENTS,
    ),
    (re.compile(r"^/(api/mcp/|api/scheduler/health$|metrics$)"), Scope.CONTROL),
)


def scope_of(path: str) -> Scope:
    """Return the Scope of the call with this path. Raises LookupError for a path that no row names."""
    for pattern, scope in _BY_PATH:
        if pattern.search(path):
            return scope
    raise LookupError(path)
