"""Examples of the reference page: a patient's export, erasure and merge."""

from typing import Final

from companion.api.examples.clinic import ANA, MESSAGE_ID, JsonObject
from companion.api.examples.messages import MESSAGES
from companion.api.examples.patients import PATIENT

EXPORT: Final[JsonObject] = {
    "made_at": "2026-12-01T10:00:00Z",
    "clinic": "Linden Clinic",
    "patient": {
        "id": ANA,
        "external_id": "P-1001",
        "external_id_written": "",
        "name": "Ana Silva",
        "birth_date": "1957-03-14",
        "phone": "",
        "telegram_id": 7000000001,
        "caregiver": "",
        "timezone": "Europe/Lisbon",
        "language": "pt",
        "consent": "given",
        "consent_asked_at": None,
        "trouble": "",
        "trouble_at": None,
        "telegram_id_check": "found",
        "left_at": None,
        "paused_until": None,
        "paused_reason": "",
        "created_at": "2026-11-02T08:00:00Z",
    },
    "former_ids": [],
    "cohorts": ["Diabetes"],
    "consents": [
        {
            "at": "2026-11-02T09:12:00Z",
            "consent": "given",
            "source": "patient: agreed",
            "wording": "2026-1",
            "question": "Hello! {clinic} would like to send messages for {first_name} to this chat…",
        }
    ],
    "opt_out": None,
    "former_chats": [],
    "invitations": [
        {
            "created_at": "2026-11-02T08:00:00Z",
            "expires_at": "2026-11-09T08:00:00Z",
            "used_at": "2026-11-02T09:11:00Z",
        }
    ],
    "notes": [],
    "schedules": [],
    "messages": [
        {
            "id": MESSAGE_ID,
            "schedule": None,
            "occurrence": "",
            "status": "sent",
            "reason": "",
            "text": "Good morning Ana, your appointment is on 1 December.",
            "buttons": [],
            "follows": None,
            "due_at": "2026-12-01T09:00:00Z",
            "sent_at": "2026-12-01T09:00:00.412000Z",
            "answered_at": None,
            "telegram_message_id": 17,
            "created_by": "Nora Provider",
            "created_at": "2026-11-30T15:00:00Z",
            "attempts": [
                {
                    "number": 1,
                    "began_at": "2026-12-01T09:00:00Z",
                    "ended_at": "2026-12-01T09:00:00.412000Z",
                    "outcome": "sent",
                    "text": "Good morning Ana, your appointment is on 1 December.",
                    "telegram_id": 7000000001,
                    "telegram_message_id": 17,
                    "error_code": None,
                    "note": "",
                    "description": None,
                }
            ],
        }
    ],
    "replies": [],
    "files": [],
    "conversations": [],
    "syncs": [],
    "audit": [
        {
            "at": "2026-11-02T08:00:00Z",
            "by": "member: Nora Provider",
            "action": "patient added",
            "subject": "patient",
            "subject_id": ANA,
        }
    ],
}
ERASE: Final[JsonObject] = {"name": "Ana Silva"}
ERASURE: Final[JsonObject] = {
    "id": ANA,
    "erased_at": "2026-12-01T10:00:00Z",
    "kept": 41,
    "cancelled": 2,
    "to_delete": 3,
}
_TWIN: Final = "0192f0c1-7b7e-7c3a-9d55-2f6d1c0a8e21"
MERGE: Final[JsonObject] = {"into": ANA}
MERGE_PREVIEW: Final[JsonObject] = {
    "patient": {**PATIENT, "id": _TWIN, "external_id": "P-2002", "telegram_id": None, "consent": "unknown"},
    "into": PATIENT,
    "coming_of_patient": [],
    "coming_of_into": MESSAGES["items"],
    "twice": [],
    "notes": ["The id P-2002 is no longer used. Imports refuse it, so remove it from the source."],
    "obstacle": None,
}
MERGED: Final[JsonObject] = {"id": ANA, "merged": _TWIN, "patient": PATIENT, "messages": 2, "complete": True}
