"""A Bot knows since when the numbers of its messages are known, and when it may be asked for the next trace."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clinics", "0013_limits_of_keys")]

    operations = [
        migrations.AddField("bot", "numbers_since", models.DateTimeField(null=True)),
        migrations.AddField("bot", "next_probe_at", models.DateTimeField(null=True)),
    ]
