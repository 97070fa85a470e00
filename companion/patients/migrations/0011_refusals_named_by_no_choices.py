"""Telegram's last refusal of a chat is any code: a new one needs no migration."""

from django.db import models

from companion.service.online import AlterFieldOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [("patients", "0010_chats_that_said_stop")]

    operations = [AlterFieldOnline("patient", "trouble", models.CharField(blank=True, default="", max_length=24))]
