from django.db import models
from django.db.models import Q

from companion.service.online import AddIndexOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("clinics", "0018_audit_outlives_its_clinic"),
    ]

    operations = [
        AddIndexOnline(
            "auditentry",
            models.Index(fields=["clinic", "id"], name="audit_to_chain", condition=Q(number__isnull=True)),
        ),
    ]
