"""Examples of the reference page: patients, their import, invitation and conversation."""

from typing import Final

from companion.api.examples.clinic import ANA, MESSAGE_ID, JsonObject

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
    "id": ANA,
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
CONVERSATION: Final[JsonObject] = {
    "items": [
        {
            "at": "2026-12-01T09:00:00.412000Z",
            "direction": "out",
            "text": "Good morning Ana, your appointment is on 1 December.",
            "message": MESSAGE_ID,
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
            "message": MESSAGE_ID,
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
