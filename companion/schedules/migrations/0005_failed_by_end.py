from django.db import models

from companion.service.online import AddIndexOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0004_answers_indexed"),
    ]

    operations = [
        AddIndexOnline(
            model_name="message",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["clinic", "ended_at", "reason"],
                name="messages_failed_by_end",
            ),
        ),
    ]
