"""Reading the values of a Schedule from JSON, field by field. drafts.py checks values against each other."""

import datetime as dt
import re
import uuid
from collections.abc import Mapping
from typing import Final

from companion.clinics.models import Clinic
from companion.clinics.refusals import Problem
from companion.patients.models import Cohort, Patient
from companion.planning.timing import PATIENT_ZONE
from companion.schedules import buttons
from companion.schedules import text as texts
from companion.schedules.buttons import Button
from companion.times import rule_json, walls
from companion.times.rule import Recurrence, RuleError
from companion.times.workdays import ANY_DAY, Avoid

SHORTEST_LATE_AFTER: Final = dt.timedelta(minutes=1)
LONGEST_LATE_AFTER: Final = dt.timedelta(days=7)
SHORTEST_ANSWER, LONGEST_ANSWER = dt.timedelta(minutes=5), dt.timedelta(days=7)
"""The shortest and the longest time to wait for an answer before staff is told that none came."""
SHORTEST_AGAIN, LONGEST_AGAIN = dt.timedelta(minutes=5), dt.timedelta(days=1)
"""The shortest and the longest delay after which the button "Later" sends the message again."""
MOST_PATIENTS: Final = 10_000
"""The most patients that can be named one by one. For more patients, people make a cohort."""
_DURATION: Final = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?", re.ASCII)
_AVOID: Final = ("weekends", "holidays", "closed_days")


class FieldReader:
    """A reader of single fields that collects all problems, so that people see all of them together.

    Each method returns a valid value, even after a problem, so that the caller can go on reading.
    """

    def __init__(self, clinic: Clinic, values: Mapping[str, object]) -> None:
        self.clinic, self._values = clinic, values
        self._known: set[str] = set()
        self._problems: list[Problem] = []

    @property
    def problems(self) -> list[Problem]:
        """List the problems. Call this after the last field, because a field that nobody read counts as unknown."""
        unknown = [Problem(name, "There is no such field.") for name in self._values if name not in self._known]
        return unknown + self._problems

    def value(self, field: str) -> object:
        """The value as it came; None if the field is missing."""
        self._known.add(field)
        return self._values.get(field)

    def wrong(self, field: str, message: str) -> None:
        self._problems.append(Problem(field, message))

    def choice(self, field: str, choices: tuple[str, ...]) -> str:
        value = self.value(field) or choices[0]
        if isinstance(value, str) and value in choices:
            return value
        self.wrong(field, f"Choose one of {', '.join(dict.fromkeys(choices))}.")
        return choices[0]

    def string(self, field: str, missing: str) -> str:
        value = self.value(field)
        if isinstance(value, str) and value.strip():
            return value
        self.wrong(field, missing)
        return ""

    def text(self) -> str:
        value = self.value("text")
        if not isinstance(value, str):
            self.wrong("text", "Write the text that the patient gets.")
            return ""
        value = texts.as_typed(value)
        for sentence in texts.problems_of(value):
            self.wrong("text", sentence)
        return value

    def patients(self) -> tuple[uuid.UUID, ...]:
        value = self.value("patients")
        if value is None or (value == [] and self.value("cohort")):
            return ()
        if not isinstance(value, list) or not value:
            self.wrong("patients", "Choose at least one patient, or a cohort.")
            return ()
        if len(value) > MOST_PATIENTS:
            self.wrong("patients", f"Name at most {MOST_PATIENTS} patients one by one; make a cohort for more.")
            return ()
        wanted = list(dict.fromkeys(as_id(item) for item in value))
        known = set(
            Patient.objects.filter(clinic=self.clinic, id__in=[i for i in wanted if i], left_at=None).values_list(
                "id", flat=True
            )
        )
        for index, patient in enumerate(wanted):
            if patient not in known:
                self.wrong(f"patients.{index}", "There is no such patient in this clinic.")
        return tuple(patient for patient in wanted if patient in known)

    def cohort(self) -> uuid.UUID | None:
        value = self.value("cohort")
        if value is None:
            if self.value("patients") is None:
                self.wrong("patients", "Choose at least one patient, or a cohort.")
            return None
        if self.value("patients"):
            self.wrong("cohort", "Choose patients or a cohort, not both.")
        wanted = as_id(value)
        if wanted is None or not Cohort.objects.filter(clinic=self.clinic, id=wanted).exists():
            self.wrong("cohort", "There is no such cohort in this clinic.")
        return wanted

    def starts_at(self) -> dt.datetime:
        try:
            return walls.parse_wall(self.string("starts_at", "Say when it starts, like 2026-12-01T09:00."))
        except ValueError as problem:
            if self.value("starts_at"):
                self.wrong("starts_at", str(problem))
            return dt.datetime(2000, 1, 1)  # noqa: DTZ001  (a wall time, which is never used after a problem)

    def timezone(self) -> str:
        zone = self.string("timezone", 'Name a time zone like Europe/Berlin, or "patient" for each patient\'s own.')
        if zone and zone != PATIENT_ZONE and not walls.is_zone(zone):
            self.wrong("timezone", 'This is no IANA time zone. Write a zone like Europe/Berlin, or "patient".')
        return zone

    def recurrence(self) -> Recurrence | None:
        value = self.value("recurrence")
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong("recurrence", "Give a rule with its frequency, or null for a message that goes out once.")
            return None
        try:
            return rule_json.from_json(value)
        except RuleError as problem:
            self.wrong(problem.field, problem.message)
            return None

    def late_after(self, default: dt.timedelta) -> dt.timedelta:
        value = self.value("late_after")
        if value is None:
            return default
        try:
            length = duration(value if isinstance(value, str) else "")
        except (ValueError, OverflowError) as problem:
            self.wrong("late_after", str(problem))
            return default
        if not SHORTEST_LATE_AFTER <= length <= LONGEST_LATE_AFTER:
            self.wrong("late_after", "Choose a delay from one minute to seven days.")
        return length

    def answer_within(self) -> dt.timedelta | None:
        value = self.value("answer_within")
        return self._length("answer_within", value, SHORTEST_ANSWER, LONGEST_ANSWER) if value is not None else None

    def buttons(self) -> tuple[Button, ...]:
        value = self.value("buttons")
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > buttons.MOST:
            self.wrong("buttons", f"Give at most {buttons.MOST} buttons, each with its text.")
            return ()
        found = tuple(self._button(f"buttons.{index}", item) for index, item in enumerate(value))
        if len({button.text for button in found}) < len(found) and all(button.text for button in found):
            self.wrong("buttons", "Two buttons have the same text. Give each button a different text.")
        return found

    def _button(self, field: str, value: object) -> Button:
        if not isinstance(value, dict) or not value.keys() <= {"text", "again_after"}:
            self.wrong(field, 'Give the text of the button, like {"text": "Taken"}.')
            return Button("")
        words, again = value.get("text"), value.get("again_after")
        text = words.strip() if isinstance(words, str) else ""
        if not 0 < len(text) <= buttons.LONGEST or not text.isprintable():
            self.wrong(f"{field}.text", f"Give the button a text of 1 to {buttons.LONGEST} characters, on one line.")
        if again is None:
            return Button(text)
        return Button(text, self._length(f"{field}.again_after", again, SHORTEST_AGAIN, LONGEST_AGAIN))

    def _length(self, field: str, value: object, shortest: dt.timedelta, longest: dt.timedelta) -> dt.timedelta:
        try:
            length = duration(value if isinstance(value, str) else "")
        except (ValueError, OverflowError) as problem:
            self.wrong(field, str(problem))
            return shortest
        if not shortest <= length <= longest:
            self.wrong(field, f"Choose a time from {duration_text(shortest)} to {duration_text(longest)}.")
        return length

    def avoid(self) -> Avoid:
        value = self.value("avoid")
        if value is None:
            return ANY_DAY
        if not isinstance(value, dict):
            self.wrong("avoid", 'Say which days to avoid, like {"weekends": true}.')
            return ANY_DAY
        for name, flag in value.items():
            if name not in _AVOID:
                self.wrong(f"avoid.{name}"[:60], "There is no such field. There are weekends, holidays, closed_days.")
            elif not isinstance(flag, bool):
                self.wrong(f"avoid.{name}", "Write true or false.")
        found = Avoid(**{name: value.get(name) is True for name in _AVOID})
        if found.holidays and not self.clinic.country:
            self.wrong("avoid.holidays", "First choose the clinic's country in Settings.")
        return found

    def review_on(self) -> dt.date | None:
        value = self.value("review_on")
        if value is None:
            return None
        if value == "":
            self.wrong("review_on", "This series has no end: choose a date to review it.")
            return None
        try:
            return dt.date.fromisoformat(value if isinstance(value, str) else "")
        except ValueError:
            self.wrong("review_on", "Write the date of the review like 2027-05-01.")
            return None


def as_id(value: object) -> uuid.UUID | None:
    """Read a UUID; None for any other value."""
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def duration(text: str) -> dt.timedelta:
    """Read an ISO 8601 duration of days, hours, minutes and seconds ("PT1H"). Raises ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if not found or text.endswith(("P", "T")):
        raise ValueError("Write a duration like PT1H (one hour), PT90M or P1D.")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def duration_text(length: dt.timedelta) -> str:
    """Write a duration in ISO 8601, in hours, minutes and seconds."""
    seconds = int(length.total_seconds())
    hours, minutes = seconds // 3600, seconds // 60 % 60
    parts = [(hours, "H"), (minutes, "M"), (seconds % 60, "S")]
    return "PT" + ("".join(f"{number}{unit}" for number, unit in parts if number) or "0S")
