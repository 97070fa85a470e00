"""Examples of the reference page: chats that have sent STOP."""

from typing import Final

from companion.api.examples.clinic import JsonObject

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
