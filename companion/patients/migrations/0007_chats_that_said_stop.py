"""An opt-out for each chat in which a patient has said STOP: until now only the patients' own rows knew of it."""

from collections.abc import Iterator
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from companion.clinics.opt_outs import chat_of

_TOGETHER = 500


# The models of a migration's state have no types of their own.
def _opt_outs(apps: StateApps, _: BaseDatabaseSchemaEditor) -> None:
    opt_out = apps.get_model("clinics", "OptOut")
    rows: list[Any] = []
    for one in _said_stop(apps):
        rows.append(one)
        if len(rows) == _TOGETHER:
            opt_out._default_manager.bulk_create(rows, ignore_conflicts=True)
            rows = []
    opt_out._default_manager.bulk_create(rows, ignore_conflicts=True)


def _said_stop(apps: StateApps) -> Iterator[Any]:
    """A member's note is the patient's alone, as long as the chat still gets messages for somebody else.

    Where nobody is left whom the chat gets messages for, it may have said STOP as well: that left no trace.
    """
    patients = apps.get_model("patients", "Patient")._default_manager
    opt_out = apps.get_model("clinics", "OptOut")
    withdrawn = patients.filter(consent="withdrawn", telegram_id__isnull=False).order_by("id")
    for patient in withdrawn.iterator(_TOGETHER):
        said = patient.consent_history.filter(consent="withdrawn").order_by("-at", "-id").first()
        in_chat = patients.filter(clinic=patient.clinic_id, telegram_id=patient.telegram_id, left_at__isnull=True)
        noted = said is not None and not said.source.startswith("patient:")
        if noted and in_chat.exclude(consent="withdrawn").exists():
            continue
        yield opt_out(
            clinic_id=patient.clinic_id,
            chat=chat_of(patient.telegram_id),
            telegram_id=patient.telegram_id,
            at=said.at if said else patient.created_at,
            source=said.source if said else "patient: STOP",
        )


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0005_opt_outs"),
        ("patients", "0006_opt_outs"),
    ]

    operations = [migrations.RunPython(_opt_outs, elidable=False)]
