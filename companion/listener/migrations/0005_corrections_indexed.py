from django.db import models

from companion.service.online import AddIndexOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("listener", "0004_corrections"),
    ]

    operations = [
        AddIndexOnline(
            model_name="reply",
            index=models.Index(fields=["telegram_id", "telegram_message_id"], name="replies_of_a_chat"),
        ),
        AddIndexOnline(
            model_name="reply",
            index=models.Index(
                condition=models.Q(("corrects__isnull", False)), fields=["corrects"], name="replies_that_correct"
            ),
        ),
    ]
