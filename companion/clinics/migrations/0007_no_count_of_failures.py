"""Failures in a row are counted in each dispatcher's memory. Nobody ever read this column."""

from django.db import migrations

from companion.service.online import OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("clinics", "0006_set_up"),
    ]

    operations = [
        migrations.RemoveField(model_name="bot", name="failures_in_a_row"),
    ]
