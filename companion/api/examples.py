"""Examples for the reference page: one invented clinic, the same patients and messages all the way through."""

from typing import Final

JsonObject = dict[str, object]

_ANA: Final = "0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e11"
_SCHEDULE: Final = "0192f0c2-0a41-7d0e-8b1f-6c2d9e4f7a22"
_MESSAGE: Final = "0192f0c2-5d19-7e88-a3c4-9b0e1f2d3c33"
_COHORT: Final = "0192f0c0-11aa-7bbb-8ccc-0d1e2f3a4b44"
_AUTHOR: Final = {"kind": "member", "name": "Rosa Lind"}

NEW_PATIENT: Final[JsonObject] = {
    "external_id": "P-1001",
    "name": "Ana Silva",
    "telegram_id": 7000000001,
    "birth_date": "1957-03-14",
    "timezone": "Europe/Lisbon",
    "language": "pt",
    "cohorts": ["Diabetes"],
}
PATIENT_CHANGES: Final[JsonObject] = {"timezone": "America/Sao_Paulo"}
PATIENT: Final[JsonObject] = {
    "id": _ANA,
    **NEW_PATIENT,
    "phone": None,
    "caregiver": None,
    "consent": "given",
    "reachable": True,
    "unreachable_reason": None,
    "unreachable_code": None,
    "telegram_id_check": "found",
    "paused_until": None,
    "paused_reason": None,
}
CHANGED_PATIENT: Final[JsonObject] = {**PATIENT, "messages": 2, "complete": True, "warnings": []}
PATIENTS: Final[JsonObject] = {"items": [PATIENT], "next": None}
NEW_COHORT: Final[JsonObject] = {"name": "Diabetes"}
COHORT: Final[JsonObject] = {"id": _COHORT, "name": "Diabetes", "size": 12}
COHORTS: Final[JsonObject] = {"items": [COHORT], "next": None}
IMPORT_REPORT: Final[JsonObject] = {
    "added": 24,
    "changed": 1,
    "unchanged": 0,
    "refused": [{"line": 7, "reason": "birth_date: There is no such date. Write year, month, day, like 1980-12-24."}],
}
ENROLMENT: Final[JsonObject] = {
    "link": "https://t.me/example_clinic_bot?start=w2hX0m3nQ9",
    "qr_svg": "<svg></svg>",
    "expires_at": "2026-12-08T08:00:00Z",
}
_PERSON: Final[JsonObject] = {
    "id": _ANA,
    "external_id": "P-1001",
    "name": "Ana Silva",
    "birth_date": "1957-03-14",
}
NEW_CARDS: Final[JsonObject] = {"cohort": "Diabetes"}
CARDS: Final[JsonObject] = {
    "items": [
        {
            **ENROLMENT,
            "patient": _PERSON,
            "sentence": (
                "Aponte a câmera do seu telefone para este código e toque em Iniciar no Telegram: "
                "Linden Clinic perguntará se pode escrever para você."
            ),
        }
    ],
    "next": None,
}
NOTE: Final[JsonObject] = {
    "id": "0192f0c0-55aa-7ccc-8ddd-0d1e2f3a4b77",
    "patient": _PERSON,
    "kind": "expired",
    "message": ("Somebody pressed Start with Ana Silva's invitation after it had expired. Hand out a new one."),
    "at": "2026-12-09T08:00:00Z",
    "times": 2,
    "seen_at": None,
    "seen_by": None,
}
OPT_OUTS: Final[JsonObject] = {
    "items": [
        {
            "id": "0193a4c2-7d60-7e11-8a01-2f6f0c9d1b35",
            "telegram_id": 5000000001,
            "at": "2026-12-01T08:12:31Z",
            "source": "patient: STOP",
            "patients": [{"id": "0193a4b0-5a70-7c33-9c1e-6d0f5e3a2b10", "name": "Ana Silva"}],
        }
    ],
    "next": None,
}
NOTES: Final[JsonObject] = {"items": [NOTE], "next": None}
NEW_CONSENT: Final[JsonObject] = {"consent": "given"}
CONSENT: Final[JsonObject] = {
    "items": [
        {"at": "2026-12-01T08:00:00Z", "consent": "given", "source": "patient: agreed", "wording": "2026-1"},
    ],
    "next": None,
}
PLACES: Final[JsonObject] = {"add": [_ANA], "remove": []}
NEW_PAUSES: Final[JsonObject] = {
    "patients": [_ANA],
    "paused_until": "2027-03-03",
    "paused_reason": "In hospital",
}
PAUSES: Final[JsonObject] = {"paused": 1, "refused": []}
CONVERSATION: Final[JsonObject] = {
    "items": [
        {
            "at": "2026-12-01T09:00:00.412000Z",
            "direction": "out",
            "text": "Good morning Ana, your appointment is on 1 December.",
            "message": _MESSAGE,
            "kind": "message",
            "by": None,
            "media": None,
            "map": None,
            "edited_at": None,
            "earlier": [],
        },
        {
            "at": "2026-12-01T09:04:10Z",
            "direction": "in",
            "text": "Thank you!",
            "message": _MESSAGE,
            "kind": "text",
            "by": None,
            "media": None,
            "map": None,
            "edited_at": None,
            "earlier": [],
        },
        {
            "at": "2026-12-01T09:05:02Z",
            "direction": "in",
            "text": "[voice] 0:07",
            "message": None,
            "kind": "other",
            "by": None,
            "media": {
                "id": "0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e99",
                "kind": "voice",
                "type": "audio/ogg",
                "size": 14204,
                "link": "/api/scheduler/media/0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e99",
                "unavailable": None,
            },
            "map": None,
            "edited_at": None,
            "earlier": [],
        },
    ],
    "next": None,
}

NEW_PATIENT_SOURCE: Final[JsonObject] = {
    "kind": "fhir",
    "url": "https://fhir.hospital.example/r4",
    "token": "…",
    "identifier_system": "urn:oid:2.999.1",
    "every_minutes": 60,
}
PATIENT_SOURCE: Final[JsonObject] = {
    "id": "0192f0c0-33aa-7ccc-8ddd-0d1e2f3a4b55",
    "kind": "fhir",
    "place": "https://fhir.hospital.example/r4",
    "every_minutes": 60,
    "next_at": "2026-12-01T10:00:00Z",
    "working": False,
}
PATIENT_SOURCES: Final[JsonObject] = {"items": [PATIENT_SOURCE], "next": None}
NO_PATIENT_SOURCES: Final[JsonObject] = {"items": [], "next": None}
_RUN: Final[JsonObject] = {
    "id": "0192f0c0-44aa-7ccc-8ddd-0d1e2f3a4b66",
    "kind": "fhir",
    "state": "done",
    "whole": False,
    "began_at": "2026-12-01T09:00:00Z",
    "ended_at": "2026-12-01T09:00:04Z",
    "added": 0,
    "changed": 1,
    "unchanged": 3,
    "left": 0,
    "refused": 1,
    "detail": "",
}
SYNC_RUNS: Final[JsonObject] = {"items": [_RUN], "next": None}
SYNC_RUN: Final[JsonObject] = {
    **_RUN,
    "touched": [{"external_id": "P-1001", "what": "name, phone"}],
    "refusals": [{"place": "Patient/77", "reason": "It has no identifier of the system that you named."}],
}

NEW_SCHEDULE: Final[JsonObject] = {
    "patients": [_ANA],
    "text": "Good morning {first_name}, please measure your blood sugar.",
    "starts_at": "2026-12-01T09:00",
    "timezone": "patient",
    "recurrence": {"frequency": "daily", "interval": 1, "until": "2027-03-01"},
    "late_after": "PT1H",
    "avoid": {"weekends": True, "holidays": False, "closed_days": True},
    "when_avoided": "next",
    "buttons": [{"text": "Taken", "again_after": None}, {"text": "Later", "again_after": "PT30M"}],
    "answer_within": "PT2H",
}
SCHEDULE_CHANGES: Final[JsonObject] = {
    "text": "Good morning {first_name}, please measure before breakfast.",
    "from": "2026-12-24T09:00",
}
SKIP: Final[JsonObject] = {"occurrence": "2026-12-25T09:00"}
SCHEDULE: Final[JsonObject] = {
    "id": _SCHEDULE,
    "state": "active",
    "text": NEW_SCHEDULE["text"],
    "patients": [_ANA],
    "cohort": None,
    "starts_at": "2026-12-01T09:00",
    "timezone": "patient",
    "recurrence": {
        "frequency": "daily",
        "interval": 1,
        "weekdays": [],
        "month_days": [],
        "month_end": "last_day",
        "set_position": None,
        "times": [],
        "except": [],
        "until": "2027-03-01",
        "count": None,
    },
    "late_after": "PT1H",
    "quiet_hours": "ignore",
    "if_unknown": "hold",
    "lane": "reminder",
    "avoid": NEW_SCHEDULE["avoid"],
    "when_avoided": "next",
    "buttons": NEW_SCHEDULE["buttons"],
    "answer_within": NEW_SCHEDULE["answer_within"],
    "review_on": None,
    "summary": (
        "Every day at 09:00, patient's local time, until 1 March 2027, "
        "on the next working day instead of weekends or the clinic's closed days"
    ),
    "next": ["2026-12-01T09:00:00Z", "2026-12-02T09:00:00Z"],
    "created_by": _AUTHOR,
    "created_at": "2026-11-24T10:30:00Z",
}
PLANNED: Final[JsonObject] = {**SCHEDULE, "messages": 2, "complete": True, "warnings": []}
SCHEDULES: Final[JsonObject] = {"items": [SCHEDULE], "next": None}
PREVIEW: Final[JsonObject] = {
    "occurrences": [
        {
            "timezone": "Europe/Lisbon",
            "due_at": "2027-03-28T01:30:00Z",
            "local": "2027-03-28T02:30:00+01:00",
            "moved": "dst_gap",
        }
    ],
    "texts": [{"patient": _ANA, "text": "Good morning Ana, please measure your blood sugar."}],
    "warnings": [
        {
            "patient": None,
            "code": "in_quiet_hours",
            "message": "It goes out in quiet hours (21:00 to 08:00) in Europe/Lisbon.",
        }
    ],
    "year": {"timezone": "Europe/Lisbon", "days": [{"date": "2027-03-28", "moved": False}]},
}

CHANGE_PREVIEW: Final[JsonObject] = {
    **PREVIEW,
    "since": "2027-03-28T02:30",
    "instead_of": [
        {
            "timezone": "Europe/Lisbon",
            "due_at": "2027-03-28T08:00:00Z",
            "local": "2027-03-28T09:00:00+01:00",
            "moved": None,
        }
    ],
}

NEW_MESSAGE: Final[JsonObject] = {
    "patient": _ANA,
    "text": "Hello {first_name}, your results are here.",
    "send_at": "2026-12-01T10:00:00+01:00",
}
MESSAGE_CHANGES: Final[JsonObject] = {"send_at": "2026-12-01T15:30:00Z"}
RETRY: Final[JsonObject] = {"may_arrive_twice": True}
_LISTED: Final[JsonObject] = {
    "id": _MESSAGE,
    "planned": False,
    "schedule": _SCHEDULE,
    "occurrence": "2026-12-01T09:00",
    "patient": {"id": _ANA, "name": "Ana Silva"},
    "text": "Good morning Ana, please measure your blood sugar.",
    "template": NEW_SCHEDULE["text"],
    "status": "sent",
    "due_at": "2026-12-01T09:00:00Z",
    "sent_at": "2026-12-01T09:00:00.412000Z",
    "telegram_message_id": 5120,
    "reason": None,
    "lane": "reminder",
    "on_its_way": False,
    "wont_arrive": None,
    "answered_at": "2026-12-01T09:04:10Z",
    "answer": "Taken",
    "answer_by": None,
    "follows": None,
    "follow_kind": None,
    "summary": "Every day at 09:00, patient's local time",
    "created_by": _AUTHOR,
}
MESSAGE: Final[JsonObject] = {
    **_LISTED,
    "attempts": [
        {
            "number": 1,
            "began_at": "2026-12-01T09:00:00.031000Z",
            "ended_at": "2026-12-01T09:00:00.412000Z",
            "outcome": "sent",
            "error_code": None,
            "note": "",
        }
    ],
    "warnings": [],
}
MESSAGES: Final[JsonObject] = {"items": [_LISTED], "next": None, "complete": True}
NEW_MESSAGE_ANSWER: Final[JsonObject] = {
    **_LISTED,
    "schedule": None,
    "occurrence": None,
    "text": "Hello Ana, your results are here.",
    "template": NEW_MESSAGE["text"],
    "status": "pending",
    "sent_at": None,
    "telegram_message_id": None,
    "answered_at": None,
    "answer": None,
    "attempts": [],
    "warnings": [],
}
_PLANNED_ITEM: Final[JsonObject] = {
    **_LISTED,
    "id": None,
    "planned": True,
    "occurrence": "2026-12-24T09:00",
    "status": "pending",
    "due_at": "2026-12-24T09:00:00Z",
    "sent_at": None,
    "telegram_message_id": None,
    "answered_at": None,
    "answer": None,
}
OCCURRENCE: Final[JsonObject] = {
    "schedule": _SCHEDULE,
    "occurrence": "2026-12-24T09:00",
    "skipped": False,
    "items": [_PLANNED_ITEM],
    "next": None,
}
DETACH: Final[JsonObject] = {"patient": _ANA}
DETACHED: Final[JsonObject] = {**OCCURRENCE, "items": [{**_PLANNED_ITEM, "id": _MESSAGE, "planned": False}]}
INBOX_ITEM: Final[JsonObject] = {
    "id": "0192f0c4-2c3d-7a4b-8c5d-6e7f8091a255",
    "patient": {"id": _ANA, "name": "Ana Silva"},
    "telegram_id": 7000000001,
    "standing": "taken",
    "holder": {"id": "0192f0c0-77aa-7abc-9def-112233445566", "name": "rosa@clinic.example"},
    "since": "2026-12-01T09:06:00Z",
    "unread": 0,
    "urgent_at": None,
    "unanswered": None,
    "last": {
        "id": "0192f0c4-2c3c-7a4b-8c5d-6e7f8091a254",
        "at": "2026-12-01T09:04:10Z",
        "kind": "text",
        "text": "Should I come tomorrow?",
    },
}
INBOX: Final[JsonObject] = {"items": [INBOX_ITEM], "next": None}
INBOX_ANSWER: Final[JsonObject] = {
    **NEW_MESSAGE_ANSWER,
    "text": "Yes, please come at nine.",
    "template": "Yes, please come at nine.",
    "lane": "answer",
}
URGENT_HELP: Final[JsonObject] = {"words": ["emergency", "chest pain"], "phone": "+49 30 123456"}

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
INDEX: Final[JsonObject] = {
    "name": "AI Companion Scheduler",
    "links": {"schedules": "/api/scheduler/schedules", "openapi": "/api/scheduler/openapi.json"},
}
