"""A Message's reason is any code: a new one needs no migration. No table changes, Django alone knew the codes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("schedules", "0015_held_by_restore")]

    operations = [migrations.AlterField("message", "reason", models.CharField(blank=True, default="", max_length=24))]
