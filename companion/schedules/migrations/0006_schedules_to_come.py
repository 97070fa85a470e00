from django.db import models

from companion.service.online import AddIndexOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0005_failed_by_end"),
    ]

    operations = [
        AddIndexOnline(
            model_name="schedule",
            index=models.Index(
                condition=models.Q(("next_plan_at__isnull", False)),
                fields=["clinic", "next_plan_at"],
                name="schedules_to_come",
            ),
        ),
    ]
