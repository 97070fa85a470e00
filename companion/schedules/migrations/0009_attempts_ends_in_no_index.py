from django.db import models

from companion.service.online import AddIndexOnline, LeaveRoom, OnlineMigration, RemoveIndexOnline


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0008_a_lease_begins_with_its_attempt"),
    ]

    operations = [
        AddIndexOnline(
            model_name="attempt",
            index=models.Index(fields=["clinic", "began_at"], name="attempts_by_begin"),
        ),
        RemoveIndexOnline(model_name="attempt", name="attempts_by_end"),
        LeaveRoom("attempt"),
    ]
