"""Roles that each call of the API needs; `open`: none. A call that is missing here fails a test."""

from typing import Final

_TABLE: Final = """
open      GET    /api/scheduler
provider  POST   /api/scheduler/schedules
viewer    GET    /api/scheduler/schedules
viewer    POST   /api/scheduler/schedules/preview
viewer    POST   /api/scheduler/schedules/{id}/preview
viewer    GET    /api/scheduler/schedules/{id}
provider  PATCH  /api/scheduler/schedules/{id}
provider  POST   /api/scheduler/schedules/{id}/pause
provider  POST   /api/scheduler/schedules/{id}/resume
provider  POST   /api/scheduler/schedules/{id}/cancel
provider  POST   /api/scheduler/schedules/{id}/undo
provider  POST   /api/scheduler/schedules/{id}/occurrences/{occurrence}/skip
provider  POST   /api/scheduler/schedules/{id}/occurrences/{occurrence}/unskip
provider  POST   /api/scheduler/schedules/{id}/skip
provider  POST   /api/scheduler/messages
viewer    GET    /api/scheduler/messages
viewer    GET    /api/scheduler/messages/{id}
provider  GET    /api/scheduler/messages/{id}/evidence
provider  PATCH  /api/scheduler/messages/{id}
provider  POST   /api/scheduler/messages/{id}/cancel
provider  POST   /api/scheduler/messages/{id}/undo
provider  POST   /api/scheduler/messages/{id}/send-now
provider  POST   /api/scheduler/messages/{id}/retry
viewer    GET    /api/scheduler/schedules/{id}/occurrences/{occurrence}
provider  POST   /api/scheduler/schedules/{id}/occurrences/{occurrence}/detach
provider  POST   /api/scheduler/patients
viewer    GET    /api/scheduler/patients
provider  POST   /api/scheduler/patients/import
viewer    GET    /api/scheduler/patients/{id}
provider  PATCH  /api/scheduler/patients/{id}
provider  POST   /api/scheduler/patients/{id}/enrolment
viewer    GET    /api/scheduler/patients/{id}/conversation
provider  GET    /api/scheduler/patients/{id}/export
admin     POST   /api/scheduler/patients/{id}/erase
provider  GET    /api/scheduler/patients/{id}/merge
provider  POST   /api/scheduler/patients/{id}/merge
viewer    GET    /api/scheduler/inbox
viewer    GET    /api/scheduler/inbox/{id}
provider  POST   /api/scheduler/inbox/{id}/take
provider  POST   /api/scheduler/inbox/{id}/assign
provider  POST   /api/scheduler/inbox/{id}/give-back
provider  POST   /api/scheduler/inbox/{id}/done
provider  POST   /api/scheduler/inbox/{id}/answer
viewer    GET    /api/scheduler/urgent-help
admin     PATCH  /api/scheduler/urgent-help
provider  POST   /api/scheduler/cohorts
viewer    GET    /api/scheduler/cohorts
viewer    GET    /api/scheduler/cohorts/{id}
viewer    GET    /api/scheduler/patient-sources
admin     POST   /api/scheduler/patient-sources
viewer    GET    /api/scheduler/patient-sources/{id}
provider  POST   /api/scheduler/patient-sources/{id}/sync
admin     POST   /api/scheduler/patient-sources/{id}/remove
viewer    GET    /api/scheduler/sync-runs
viewer    GET    /api/scheduler/sync-runs/{id}
provider  POST   /api/scheduler/enrolments
viewer    GET    /api/scheduler/enrolment-notes
provider  POST   /api/scheduler/enrolment-notes/{id}/seen
viewer    GET    /api/scheduler/patients/{id}/consent
provider  POST   /api/scheduler/patients/{id}/consent
viewer    GET    /api/scheduler/opt-outs
provider  POST   /api/scheduler/cohorts/{id}/patients
provider  POST   /api/scheduler/patient-pauses
viewer    GET    /api/scheduler/media/{id}
open      GET    /api/scheduler/health
viewer    GET    /api/mcp/status
provider  POST   /api/mcp/diagnostics
viewer    GET    /api/mcp/pause
admin     POST   /api/mcp/pause
admin     POST   /api/mcp/resume
admin     POST   /api/mcp/maintenance
admin     POST   /api/mcp/maintenance/end
admin     POST   /api/mcp/acknowledge
admin     POST   /api/mcp/retry
viewer    GET    /api/mcp/unknown
admin     POST   /api/mcp/unknown
admin     POST   /api/mcp/unknown/{id}
admin     POST   /api/mcp/test
"""


def _read(line: str) -> tuple[tuple[str, str], str]:
    role, method, path = line.split()
    return (method, path), role


NEEDED: Final = dict(map(_read, _TABLE.strip().splitlines()))
