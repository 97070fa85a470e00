"""The migration for Messages that people touched before anybody noted what they changed: each keeps its time."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from companion.planning import acts
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_caller, a_clinic, a_patient
from tests.planning.plans import changed, planned

pytestmark = pytest.mark.django_db


def migrate() -> None:
    """Run the migration twice, as after a kill."""
    migration = import_module("companion.schedules.migrations.0012_times_chosen_before")
    for _ in range(2):
        migration.keep_their_times(apps, connection.schema_editor())


def test_a_pending_message_that_a_person_touched_keeps_its_time_when_the_series_gets_another() -> None:
    clinic = a_clinic()
    series = planned(clinic, a_patient(clinic), timezone="UTC").schedule
    touched = Message.objects.get(schedule=series, occurrence="2026-12-02T09:00")
    acts.edit(a_caller(clinic), touched, new_text="Half a tablet.", now=NOW)

    migrate()
    changed(series, starts_at="2026-12-02T06:00")

    due = {message.occurrence: f"{message.due_at:%H:%M}" for message in Message.objects.filter(schedule=series)}
    assert due == {"2026-12-02T06:00": "09:00", "2026-12-03T06:00": "06:00"}


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"by_hand": True}, True),
        ({"by_hand": False}, False),
        ({"by_hand": True, "status": Status.SENT}, False),
        ({"by_hand": True, "status": Status.CANCELLED, "reason": Reason.BY_PERSON}, False),
    ],
)
def test_only_a_changed_pending_message_has_a_time_that_a_person_chose(
    columns: dict[str, object], chosen: bool
) -> None:
    clinic = a_clinic()
    planned(clinic, a_patient(clinic))
    Message.objects.update(**columns)

    migrate()

    assert set(Message.objects.values_list("time_by_hand", flat=True)) == {chosen}
