# The list's filters by indexes of their own; made while the clinic works.

from django.db import models

from companion.service.online import AddIndexOnline, OnlineMigration, RemoveIndexOnline


class Migration(OnlineMigration):
    dependencies = [
        ("patients", "0004_enrolment_notes"),
    ]

    operations = [
        AddIndexOnline(
            model_name="patient",
            index=models.Index(fields=["clinic", "name", "id", "search"], name="patients_by_name_searched"),
        ),
        AddIndexOnline(
            model_name="patient",
            index=models.Index(
                condition=models.Q(("telegram_id__isnull", True)),
                fields=["clinic", "name", "id"],
                name="patients_without_telegram",
            ),
        ),
        AddIndexOnline(
            model_name="patient",
            index=models.Index(
                condition=models.Q(("trouble", ""), _negated=True),
                fields=["clinic", "name", "id"],
                name="patients_in_trouble",
            ),
        ),
        AddIndexOnline(
            model_name="patient",
            index=models.Index(
                condition=models.Q(("consent", "withdrawn")),
                fields=["clinic", "name", "id"],
                name="patients_opted_out",
            ),
        ),
        AddIndexOnline(
            model_name="patient",
            index=models.Index(
                condition=models.Q(("consent_asked_at__isnull", False)),
                fields=["clinic", "name", "id"],
                name="patients_asked",
            ),
        ),
        AddIndexOnline(
            model_name="patient",
            index=models.Index(
                condition=models.Q(("left_at__isnull", False)),
                fields=["clinic", "name", "id"],
                name="patients_who_left",
            ),
        ),
        RemoveIndexOnline(model_name="patient", name="patients_by_name"),
    ]
