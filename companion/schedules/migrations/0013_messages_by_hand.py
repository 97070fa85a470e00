from django.db import models

from companion.service.online import AddIndexOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0012_times_chosen_before"),
    ]

    operations = [
        AddIndexOnline(
            model_name="message",
            index=models.Index(
                condition=models.Q(("by_hand", True)),
                fields=["schedule", "occurrence"],
                name="messages_by_hand",
            ),
        ),
    ]
