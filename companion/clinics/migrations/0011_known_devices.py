import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import companion.clinics.ids


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0010_second_factor"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="KnownDevice",
            fields=[
                ("id", models.UUIDField(default=companion.clinics.ids.new_id, primary_key=True, serialize=False)),
                ("secret_hash", models.CharField(max_length=64)),
                ("last_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "secret_hash"), name="device_once_of_a_person")
                ],
            },
        ),
    ]
