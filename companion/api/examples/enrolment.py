"""Examples of the reference page: invitations for many patients, notes about failed invitations, and consent."""

from typing import Final

from companion.api.examples.clinic import ANA, JsonObject
from companion.api.examples.patients import ENROLMENT

_PERSON: Final[JsonObject] = {
    "id": ANA,
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
    "message": ("Somebody pressed Start with Ana Silva's invitation after it had expired. Hand out a new invitation."),
    "at": "2026-12-09T08:00:00Z",
    "times": 2,
    "seen_at": None,
    "seen_by": None,
}
NOTES: Final[JsonObject] = {"items": [NOTE], "next": None}
NEW_CONSENT: Final[JsonObject] = {"consent": "given"}
CONSENT: Final[JsonObject] = {
    "items": [
        {"at": "2026-12-01T08:00:00Z", "consent": "given", "source": "patient: agreed", "wording": "2026-1"},
    ],
    "next": None,
}
