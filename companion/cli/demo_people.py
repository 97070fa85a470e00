"""The invented people of the demo clinic: their directory, their plans, and their first replies.

This file holds values only; demo.py puts them into the database.
"""

from dataclasses import dataclass
from typing import Final

from companion.sandbox.models import State


@dataclass(frozen=True, slots=True)
class Person:
    """A row of the directory.

    `phone_of` names a person whose phone this person shares. Without `telegram` no Telegram ID is known.
    """

    external_id: str
    name: str
    birth_date: str
    phone: str
    timezone: str
    language: str
    cohorts: str
    telegram: State | None = State.NORMAL
    caregiver: str = ""
    phone_of: str = ""


HEART: Final = "Hypertension"
SUGAR: Final = "Diabetes"
KNEE: Final = "Physiotherapy"
CHILDREN: Final = "Children"
OLDER: Final = "65 and over"

PEOPLE: Final = (
    Person("LP-001", "Ana Silva", "1958-03-14", "+351 555 0101", "Europe/Lisbon", "pt", f"{HEART}|{OLDER}"),
    Person("LP-002", "Ana Silva", "1991-11-02", "+351 555 0102", "Europe/Lisbon", "pt", KNEE),
    Person("LP-003", "Jonas Weber", "1949-07-21", "+49 555 0103", "Europe/Berlin", "de", f"{HEART}|{SUGAR}|{OLDER}"),
    Person("LP-004", "Mira Novak", "1987-01-30", "+385 555 0104", "Europe/Zagreb", "hr", SUGAR),
    Person("LP-005", "Haruto Tanaka", "1976-09-09", "+81 555 0105", "Asia/Tokyo", "ja", HEART),
    Person("LP-006", "Amara Okafor", "1983-05-17", "+234 555 0106", "Africa/Lagos", "en", SUGAR),
    Person("LP-007", "Leila Haddad", "1969-12-05", "+212 555 0107", "Africa/Casablanca", "fr", HEART, State.BLOCKED),
    Person("LP-008", "Noah Miller", "1995-04-26", "+1 555 0108", "America/New_York", "en", KNEE),
    Person("LP-009", "Camila Rojas", "1972-08-11", "+56 555 0109", "America/Santiago", "es", f"{HEART}|{SUGAR}"),
    Person("LP-010", "Arjun Mehta", "1964-02-28", "+91 555 0110", "Asia/Kolkata", "en", SUGAR),
    Person("LP-011", "Freya Lindqvist", "1955-06-19", "+46 555 0111", "Europe/Stockholm", "sv", f"{HEART}|{OLDER}"),
    Person("LP-012", "Kwame Mensah", "1990-10-23", "+233 555 0112", "Africa/Accra", "en", KNEE, None),
    Person("LP-013", "Sofia Rossi", "1946-01-08", "+39 555 0113", "Europe/Rome", "it", OLDER, None),
    Person("LP-014", "Emre Yilmaz", "1981-03-03", "+90 555 0114", "Europe/Istanbul", "tr", HEART),
    Person("LP-015", "Olga Petrenko", "1978-07-07", "+380 555 0115", "Europe/Kyiv", "uk", SUGAR, State.NOT_STARTED),
    Person("LP-016", "Liam O'Connor", "2001-09-15", "+353 555 0116", "Europe/Dublin", "en", KNEE),
    Person("LP-017", "Nguyễn Thị Mai", "1967-11-28", "+84 555 0117", "Asia/Ho_Chi_Minh", "vi", SUGAR),
    Person("LP-018", "Tane Williams", "1985-05-05", "+64 555 0118", "Pacific/Auckland", "en", KNEE),
    Person("LP-019", "Layla Farouk", "1998-02-14", "+20 555 0119", "Africa/Cairo", "ar", KNEE, State.DEACTIVATED),
    Person("LP-020", "Mateusz Kowalski", "1952-04-04", "+48 555 0120", "Europe/Warsaw", "pl", f"{SUGAR}|{OLDER}"),
    Person("LP-021", "Sita Gurung", "1993-08-30", "+977 555 0121", "Asia/Kathmandu", "ne", KNEE, None),
    Person("LP-022", "Hélène Dubois", "1944-12-12", "+33 555 0122", "Europe/Paris", "fr", f"{HEART}|{OLDER}"),
    Person(
        "LP-023", "Mila Becker", "2017-06-01", "+49 555 0123", "Europe/Berlin", "de", CHILDREN, caregiver="Jana Becker"
    ),
    Person(
        "LP-024",
        "Ben Becker",
        "2020-10-18",
        "+49 555 0123",
        "Europe/Berlin",
        "de",
        CHILDREN,
        caregiver="Jana Becker",
        phone_of="LP-023",
    ),
    Person("LP-025", "Diego Fernández", "1988-03-22", "+52 555 0125", "America/Mexico_City", "es", HEART),
)

AGREED: Final = ("LP-001", "LP-003", "LP-004", "LP-009", "LP-011", "LP-023", "LP-024")
"""Patients who told a member that the clinic may write to them."""


@dataclass(frozen=True, slots=True)
class Series:
    """A running schedule: `values` are the body of `POST /schedules` without recipients and start."""

    cohort: str
    starts_in_days: int
    time: str
    values: dict[str, object]
    people: tuple[str, ...] = ()
    """External ids, instead of the cohort."""
    paused: bool = False


SERIES: Final = (
    Series(
        HEART,
        -21,
        "08:00",
        {
            "text": "Good day {first_name}, please measure your blood pressure and take your tablet. {clinic}",
            "recurrence": {"frequency": "daily", "times": ["08:00", "20:00"]},
            "buttons": [{"text": "Done"}, {"text": "Later", "again_after": "PT30M"}],
            "answer_within": "PT2H",
        },
    ),
    Series(
        SUGAR,
        -14,
        "07:30",
        {
            "text": "{first_name}, please measure your blood sugar before breakfast and write it down.",
            "recurrence": {"frequency": "weekly", "weekdays": ["mo", "we", "fr"]},
        },
    ),
    Series(
        KNEE,
        -7,
        "18:00",
        {
            "text": "Time for your exercises, {first_name}: ten minutes are enough.",
            "recurrence": {"frequency": "weekly", "weekdays": ["mo", "tu", "we", "th", "fr"], "count": 30},
        },
    ),
    Series(
        CHILDREN,
        1,
        "16:00",
        {
            "text": "Please bring the yellow check-up booklet on {date}.",
            "recurrence": {"frequency": "monthly", "weekdays": ["1tu"]},
        },
    ),
    Series(
        "",
        -30,
        "10:00",
        {
            "text": "Dear {name}, your repeat prescription is ready to be collected.",
            "recurrence": {"frequency": "monthly", "month_days": [31], "month_end": "last_day"},
        },
        people=("LP-003", "LP-020", "LP-022"),
    ),
    Series("", 1, "09:30", {"text": "{first_name}, we see you tomorrow at 10:00."}, people=("LP-001",)),
    Series("", 2, "14:00", {"text": "{first_name}, your X-ray is at 15:00 today."}, people=("LP-012", "LP-008")),
    Series(
        OLDER,
        5,
        "11:00",
        {
            "text": "The flu vaccine is here. Call us or just come by, Monday to Friday from 8 to 12. {clinic}",
            "lane": "broadcast",
            "timezone": "Europe/Berlin",
        },
    ),
    Series(
        KNEE,
        -10,
        "12:00",
        {
            "text": "How does your knee feel today, {first_name}? Just write back.",
            "recurrence": {"frequency": "weekly", "weekdays": ["th"]},
        },
        paused=True,
    ),
)

WRITTEN: Final = (
    ("LP-001", "Good day Ana, your blood results are in and all is well."),
    ("LP-003", "Mr Weber, please bring your insulin pen when you come on Thursday."),
    ("LP-009", "Camila, your new tablets can be collected from today on."),
    ("LP-010", "Arjun, thank you for your values. Please keep the dose as it is."),
    ("LP-011", "Freya, the doctor has moved your appointment to 14:30."),
    ("LP-023", "Mila's vaccination is due. Please call us for a date."),
    ("LP-007", "Leila, please call the practice when you can."),
    ("LP-012", "Kwame, your doctor's letter is ready."),
)
"""Messages that are sent right after the first start, so that the demo has a history, with some failures."""

REPLIES: Final = (
    ("LP-001", "Thank you, that is good news!"),
    ("LP-009", "Can my daughter collect them?"),
)
"""Replies that are typed on the patients' phones."""
