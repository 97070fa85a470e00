from django.db import models

from companion.service.online import AddIndexOnline, LeaveRoom, OnlineMigration, RemoveIndexOnline


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0006_schedules_to_come"),
    ]

    operations = [
        AddIndexOnline(
            model_name="message",
            index=models.Index(
                condition=models.Q(("status", "pending")),
                fields=["clinic", "lane", "ready_at", "id"],
                name="messages_in_line",
            ),
        ),
        RemoveIndexOnline(model_name="message", name="messages_to_claim"),
        RemoveIndexOnline(model_name="message", name="messages_leased"),
        LeaveRoom("message"),
    ]
