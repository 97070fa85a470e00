from django.db import models

from companion.service.online import AddIndexOnline, AddUniqueOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0003_answers"),
    ]

    operations = [
        AddIndexOnline(
            model_name="message",
            index=models.Index(
                condition=models.Q(("answer_by__isnull", False)), fields=["answer_by"], name="messages_unanswered"
            ),
        ),
        AddUniqueOnline(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("follows__isnull", False)),
                fields=("follows", "follow_kind"),
                name="message_followed_once_of_a_kind",
            ),
        ),
    ]
