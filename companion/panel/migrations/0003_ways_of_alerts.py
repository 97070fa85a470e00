import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import companion.clinics.ids
import companion.clinics.sealed


def keep_what_was_told(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """An open alert that was told before is not told again."""
    apps.get_model("panel", "Alert").objects.filter(closed_at=None, told_at__isnull=False).update(
        told_status="degraded"
    )


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0003_urgent_words"),
        ("panel", "0002_alerts"),
    ]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="status",
            field=models.CharField(db_default="degraded", default="degraded", max_length=8),
        ),
        migrations.AddField(
            model_name="alert",
            name="told_status",
            field=models.CharField(blank=True, db_default="", default="", max_length=8),
        ),
        migrations.AddField(
            model_name="alertcontact",
            name="by_email",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AlterField(
            model_name="alertcontact",
            name="telegram_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="AlertWebhook",
            fields=[
                ("id", models.UUIDField(default=companion.clinics.ids.new_id, primary_key=True, serialize=False)),
                ("url", companion.clinics.sealed.SealedField(purpose="panel.AlertWebhook.url")),
                ("secret", companion.clinics.sealed.SealedField(purpose="panel.AlertWebhook.secret")),
                ("created_at", models.DateTimeField()),
                (
                    "clinic",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="alert_webhook", to="clinics.clinic"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.UUIDField(default=companion.clinics.ids.new_id, primary_key=True, serialize=False)),
                ("event", models.CharField(max_length=16)),
                ("way", models.CharField(max_length=8)),
                ("address", models.CharField(blank=True, max_length=254)),
                ("words", models.CharField(max_length=500)),
                ("created_at", models.DateTimeField()),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(null=True)),
                ("sent_at", models.DateTimeField(null=True)),
                ("error", models.CharField(blank=True, default="", max_length=100)),
                (
                    "alert",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notices", to="panel.alert"
                    ),
                ),
                (
                    "clinic",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
                        to="clinics.clinic",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("next_try_at__isnull", False)),
                        fields=["next_try_at"],
                        name="notices_to_send",
                    ),
                    models.Index(fields=["clinic", "-created_at"], name="notices_of_a_clinic"),
                ],
            },
        ),
        migrations.RunPython(keep_what_was_told, migrations.RunPython.noop),
    ]
