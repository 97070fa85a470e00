"""Takes patients' answers out of the buttons that show them. Their texts, which are sealed, hold the same words."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from companion.service.online import OnlineMigration


def clear(apps: Apps, _: BaseDatabaseSchemaEditor, at_once: int = 1000) -> None:
    """A batch at a time. A run that was killed is repeated, and finds the rest."""
    messages = apps.get_model("schedules", "Message").objects
    shown = messages.filter(follow_kind="shown", buttons__isnull=False).order_by("id")
    ids = list(shown.values_list("id", flat=True)[:at_once])
    while ids:
        messages.filter(id__in=ids).update(buttons=None)
        ids = list(shown.filter(id__gt=ids[-1]).values_list("id", flat=True)[:at_once])


class Migration(OnlineMigration):
    dependencies = [("schedules", "0018_traces")]

    operations = [migrations.RunPython(clear, migrations.RunPython.noop)]
