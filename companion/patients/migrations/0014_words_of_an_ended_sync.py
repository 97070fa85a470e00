"""Plain words for a sync that ended midway. No table changes: Django alone knew the words."""

from django.db import models

from companion.service.online import AlterFieldOnline, OnlineMigration


class Migration(OnlineMigration):
    dependencies = [("patients", "0013_keyed_hashes")]

    operations = [
        AlterFieldOnline(
            "syncrun",
            "state",
            models.CharField(
                choices=[
                    ("running", "Under way"),
                    ("done", "Done"),
                    ("source_down", "The source could not be read whole: nothing was changed"),
                    ("ended", "Ended midway; the next sync begins where the last complete sync began"),
                ],
                default="running",
                max_length=16,
            ),
        )
    ]
