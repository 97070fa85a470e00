"""An opt-out for each chat in which a patient has said STOP: until now only the patients' own rows knew of it."""

from collections.abc import Iterator

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Model

from companion.clinics.opt_outs import chat_of
from companion.service.online import OnlineMigration

_TOGETHER = 500


def say_stop_for_chats(apps: StateApps, _: BaseDatabaseSchemaEditor) -> None:
    """Makes the opt-outs; run a second time, it adds what is missing."""
    opt_outs = apps.get_model("clinics", "OptOut")._default_manager
    rows: list[Model] = []
    for row in _said_stop(apps):
        rows.append(row)
        if len(rows) == _TOGETHER:
            opt_outs.bulk_create(rows, ignore_conflicts=True)
            rows = []
    opt_outs.bulk_create(rows, ignore_conflicts=True)
    for opt_out in opt_outs.filter(telegram_id__isnull=False).values("clinic_id", "telegram_id").iterator(_TOGETHER):
        _follow(apps, **opt_out)


def _said_stop(apps: StateApps) -> Iterator[Model]:
    """The rows.

    A note of the clinic's is the patient's alone while somebody else is written to in that chat. Where nobody is, the
    chat may have said STOP as well, which left no trace after the note.
    """
    opt_out = apps.get_model("clinics", "OptOut")
    patients = apps.get_model("patients", "Patient")._default_manager
    history = apps.get_model("patients", "ConsentChange")._default_manager
    withdrawn = patients.filter(consent="withdrawn", telegram_id__isnull=False).order_by("id")
    columns = ("id", "clinic_id", "telegram_id", "created_at")
    for patient, clinic, telegram_id, created_at in withdrawn.values_list(*columns).iterator(_TOGETHER):
        lines = history.filter(patient=patient, consent="withdrawn").order_by("-at", "-id")
        at, source = lines.values_list("at", "source").first() or (created_at, "patient: STOP")
        in_chat = patients.filter(clinic=clinic, telegram_id=telegram_id, left_at__isnull=True)
        if not source.startswith("patient:") and in_chat.exclude(consent="withdrawn").exists():
            continue
        chat = chat_of(telegram_id)
        yield opt_out(clinic_id=clinic, chat=chat, telegram_id=telegram_id, at=at, source=source)


def _follow(apps: StateApps, clinic_id: object, telegram_id: int) -> None:
    """Opts out those who came into the chat after its STOP, as consent.follow_opt_outs does."""
    patients = apps.get_model("patients", "Patient")._default_manager
    for held in ("given", "unknown"):
        late = patients.filter(clinic=clinic_id, telegram_id=telegram_id, consent=held)
        late.update(consent="withdrawn", consent_before_stop=held, withdrawal="chat")


class Migration(OnlineMigration):
    dependencies = [
        ("clinics", "0005_opt_outs"),
        ("patients", "0009_opt_outs"),
    ]

    operations = [migrations.RunPython(say_stop_for_chats)]
