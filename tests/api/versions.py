"""Objects that have an ETag."""

import datetime as dt

from companion.clinics.models import Clinic
from tests.api.calls import Program, a_daily_schedule
from tests.builders import a_patient


def tag_at(api: Program, path: str) -> str:
    answer = api.get(path)
    assert answer.status == 200
    return answer.headers["ETag"]


def a_series_with_a_message(clinic: Clinic, api: Program) -> tuple[str, str]:
    """The addresses of a daily series that begins tomorrow and of its first message."""
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).date()
    made = api.post("/schedules", a_daily_schedule(a_patient(clinic), starts_at=f"{tomorrow}T09:00")).json
    first = clinic.messages.filter(schedule=made["id"]).earliest("due_at")
    return f"/schedules/{made['id']}", f"/messages/{first.id}"
