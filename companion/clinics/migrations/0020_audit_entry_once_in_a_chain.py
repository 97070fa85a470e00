from django.db import models
from django.db.models import Q

from companion.service.online import AddUniqueOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("clinics", "0019_audit_to_chain"),
    ]

    operations = [
        AddUniqueOnline(
            "auditentry",
            models.UniqueConstraint(
                fields=["clinic", "number"], name="audit_entry_once_in_a_chain", condition=Q(number__isnull=False)
            ),
        ),
    ]
