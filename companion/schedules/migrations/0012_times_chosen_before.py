"""Of pending Messages that people touched before, nobody knows what they changed: each keeps its time."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def keep_their_times(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Marks them: few rows among those that are pending."""
    messages = apps.get_model("schedules", "Message").objects
    messages.filter(status="pending", by_hand=True).update(time_by_hand=True)


class Migration(migrations.Migration):
    dependencies = [("schedules", "0011_time_by_hand")]

    operations = [migrations.RunPython(keep_their_times, migrations.RunPython.noop)]
