"""The numbers of messages that come in are kept: those that make no Reply, too."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clinics", "0014_numbers_of_a_bot")]

    operations = [
        migrations.CreateModel(
            name="HeardNumber",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField()),
                ("given_at", models.DateTimeField(null=True)),
                ("heard_at", models.DateTimeField()),
                (
                    "bot",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="heard_numbers",
                        to="clinics.bot",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("bot", "number"), name="heard_number_once_of_a_bot")],
            },
        ),
    ]
