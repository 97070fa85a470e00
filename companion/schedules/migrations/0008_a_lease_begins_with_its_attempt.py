from django.db import migrations, models

from companion.service.online import AddCheckOnline, OnlineMigration

# What a dispatcher that was killed had claimed and not begun is nobody's.
_FREE = "UPDATE schedules_message SET lease_until = NULL WHERE lease_until IS NOT NULL AND open_attempt_id IS NULL"


class Migration(OnlineMigration):
    dependencies = [
        ("schedules", "0007_leases_in_no_index"),
    ]

    operations = [
        migrations.RunSQL(_FREE, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="message", name="only_pending_messages_are_leased"),
        migrations.RemoveField(model_name="message", name="lease_token"),
        AddCheckOnline(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("status", "pending"), ("lease_until__isnull", True), _connector="OR"),
                name="only_pending_messages_are_held",
            ),
        ),
    ]
