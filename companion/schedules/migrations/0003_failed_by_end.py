from django.db import migrations, models

from companion.service.concurrently import AddIndexWhileRunning


class Migration(migrations.Migration):
    # CREATE INDEX CONCURRENTLY stands in no transaction.
    atomic = False

    dependencies = [
        ("schedules", "0002_working_days"),
    ]

    operations = [
        AddIndexWhileRunning(
            model_name="message",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["clinic", "ended_at", "reason"],
                name="messages_failed_by_end",
            ),
        ),
    ]
