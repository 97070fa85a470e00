"""Examples of the reference page: messages, and the occurrences of a schedule."""

from typing import Final

from companion.api.examples.clinic import ANA, AUTHOR, MESSAGE_ID, SCHEDULE_ID, JsonObject
from companion.api.examples.schedules import NEW_SCHEDULE

NEW_MESSAGE: Final[JsonObject] = {
    "patient": ANA,
    "text": "Hello {first_name}, your results are here.",
    "send_at": "2026-12-01T10:00:00+01:00",
}
MESSAGE_CHANGES: Final[JsonObject] = {"send_at": "2026-12-01T15:30:00Z"}
RETRY: Final[JsonObject] = {"may_arrive_twice": True}
_LISTED: Final[JsonObject] = {
    "id": MESSAGE_ID,
    "planned": False,
    "schedule": SCHEDULE_ID,
    "occurrence": "2026-12-01T09:00",
    "patient": {"id": ANA, "name": "Ana Silva"},
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
    "waiting": None,
    "answered_at": "2026-12-01T09:04:10Z",
    "answer": "Taken",
    "answer_by": None,
    "follows": None,
    "follow_kind": None,
    "summary": "Every day at 09:00, patient's local time",
    "created_by": AUTHOR,
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
            "no_trace_at": None,
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
    "schedule": SCHEDULE_ID,
    "occurrence": "2026-12-24T09:00",
    "skipped": False,
    "items": [_PLANNED_ITEM],
    "next": None,
}
DETACH: Final[JsonObject] = {"patient": ANA}
DETACHED: Final[JsonObject] = {**OCCURRENCE, "items": [{**_PLANNED_ITEM, "id": MESSAGE_ID, "planned": False}]}
