"""The numbers of the bots that are connected already are known from now on."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone


def begin_now(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Marks them: one row for each clinic."""
    apps.get_model("clinics", "Bot").objects.filter(numbers_since=None).update(numbers_since=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("clinics", "0015_heard_numbers")]

    operations = [migrations.RunPython(begin_now, migrations.RunPython.noop)]
