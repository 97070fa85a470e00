import django.db.models.deletion
from django.db import models

from companion.service.online import AlterFieldOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0009_attempts_ends_in_no_index"),
    ]

    operations = [
        AlterFieldOnline(
            model_name="attempt",
            name="clinic",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="clinics.clinic",
            ),
        ),
        AlterFieldOnline(
            model_name="attempt",
            name="message",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attempts",
                to="schedules.message",
            ),
        ),
    ]
