import django.db.models.deletion
from django.db import migrations, models

import companion.clinics.ids


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0022_audit_chained"),
        ("panel", "0008_no_alert_webhooks"),
    ]

    operations = [
        migrations.CreateModel(
            name="TrailHead",
            fields=[
                ("id", models.UUIDField(default=companion.clinics.ids.new_id, primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("number", models.BigIntegerField()),
                ("hash", models.CharField(max_length=64)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("mailed_at", models.DateTimeField(null=True)),
                (
                    "clinic",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trail_heads",
                        to="clinics.clinic",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("clinic", "day"), name="trail_head_once_a_day")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)),
                        fields=["next_try_at"],
                        name="trail_heads_to_mail",
                    )
                ],
            },
        ),
    ]
