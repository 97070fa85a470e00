"""Examples of the reference page: the inbox and the words for urgent help."""

from typing import Final

from companion.api.examples.clinic import ANA, JsonObject
from companion.api.examples.messages import NEW_MESSAGE_ANSWER

INBOX_ITEM: Final[JsonObject] = {
    "id": "0192f0c4-2c3d-7a4b-8c5d-6e7f8091a255",
    "patient": {"id": ANA, "name": "Ana Silva"},
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
