"""A Message says whether its outcome is unknown because the database was restored."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("schedules", "0014_when_a_schedule_was_cancelled")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="held_by_restore",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
