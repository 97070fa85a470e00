"""A Message says whether a person chose its time, besides that a person touched it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("schedules", "0010_attempts_keys_unchecked")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="time_by_hand",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
