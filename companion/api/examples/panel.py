"""Examples of the reference page: health, and the Control Panel."""

from typing import Final

from companion.api.examples.clinic import JsonObject

HEALTH: Final[JsonObject] = {
    "status": "ok",
    "source": "direct",
    "checked_at": "2026-12-01T09:00:12Z",
    "layers": [
        {"layer": "direct", "status": "ok", "detail": "The dispatcher answers."},
        {"layer": "mcp", "status": "ok", "detail": "The Control Panel answers."},
        {"layer": "database", "status": "ok", "detail": "Nothing is overdue."},
    ],
    "detail": "",
    "causes": [],
}
PANEL: Final[JsonObject] = {
    "status": "ok",
    "services": [
        {
            "kind": "dispatcher",
            "host": "clinic-1",
            "version": "0.1.0",
            "state": "alive",
            "last_beat_at": "2026-12-01T09:00:10Z",
            "started_at": "2026-11-24T07:12:00Z",
        }
    ],
    "messages": {
        "pending": 40,
        "due": 0,
        "overdue": 0,
        "oldest_overdue_seconds": None,
        "sent_24h": 212,
        "failed_24h": 1,
    },
    "delivery_lag_seconds": {"p50": 0.2, "p99": 1.4},
    "database": {"engine": "sqlite", "ok": True},
    "telegram": {"bot": "example_clinic_bot", "ok": True},
}
DIAGNOSTICS: Final[JsonObject] = {
    "checked_at": "2026-12-01T09:00:12Z",
    "checks": [
        {
            "name": "Database can be written",
            "group": "database",
            "result": "ok",
            "value": "2 ms",
            "advice": "",
        }
    ],
}
