import django.db.models.deletion
from django.db import models

from companion.service.online import AlterFieldOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("clinics", "0017_audit_chain"),
    ]

    operations = [
        AlterFieldOnline(
            model_name="auditentry",
            name="clinic",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="audit_entries",
                to="clinics.clinic",
            ),
        ),
    ]
