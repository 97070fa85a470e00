# Any BCP 47 tag has room.

from django.db import models

from companion.service.online import AlterFieldOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("patients", "0005_patient_indexes"),
    ]

    operations = [
        AlterFieldOnline(model_name="patient", name="language", field=models.CharField(default="en", max_length=100)),
    ]
