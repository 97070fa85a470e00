"""When a Schedule was cancelled and what it was before: so that the act can be taken back for ten seconds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("schedules", "0013_messages_by_hand")]

    operations = [
        migrations.AddField("schedule", "cancelled_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "schedule", "cancelled_from", models.CharField(blank=True, db_default="", default="", max_length=16)
        ),
    ]
