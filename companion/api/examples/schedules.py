"""Examples of the reference page: schedules and their previews."""

from typing import Final

from companion.api.examples.clinic import ANA, AUTHOR, SCHEDULE_ID, JsonObject

NEW_SCHEDULE: Final[JsonObject] = {
    "patients": [ANA],
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
    "id": SCHEDULE_ID,
    "state": "active",
    "text": NEW_SCHEDULE["text"],
    "patients": [ANA],
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
    "created_by": AUTHOR,
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
    "texts": [{"patient": ANA, "text": "Good morning Ana, please measure your blood sugar."}],
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
