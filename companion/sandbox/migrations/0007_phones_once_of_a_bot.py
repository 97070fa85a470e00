from django.db import models

from companion.service.online import AddUniqueOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("sandbox", "0006_no_phone_without_a_bot"),
    ]

    operations = [
        AddUniqueOnline(
            "phone", models.UniqueConstraint(fields=["bot", "telegram_id"], name="sandbox_phone_once_of_a_bot")
        ),
    ]
