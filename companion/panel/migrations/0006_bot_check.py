"""Call BotLook a BotCheck in the code. Its table keeps its name, so nothing is done to the database."""

import django.db.models.deletion
from django.db import migrations, models

from companion.service.online import OnlineMigration


class Migration(OnlineMigration):
    dependencies = [("panel", "0005_outside_heartbeat")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("BotLook", "BotCheck"),
                migrations.AlterModelTable("BotCheck", "panel_botlook"),
                migrations.AlterField(
                    "BotCheck",
                    "clinic",
                    models.OneToOneField(
                        to="clinics.clinic",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bot_check",
                    ),
                ),
            ]
        )
    ]
