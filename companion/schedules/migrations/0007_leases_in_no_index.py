from django.db import migrations, models

from companion.service.online import AddIndexOnline, LeaveRoom, RemoveIndexOnline


class Migration(migrations.Migration):
    atomic = False

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
