"""Attempts and Messages say whether Telegram holds a trace of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("schedules", "0017_deletions")]

    operations = [
        migrations.AddField("attempt", "asked", models.JSONField(null=True)),
        migrations.AddField("attempt", "no_trace_at", models.DateTimeField(null=True)),
        migrations.AddField("message", "no_trace_at", models.DateTimeField(null=True)),
    ]
