from companion.clinics.append_only import AppendOnly
from companion.service.online import OnlineMigration


class Migration(OnlineMigration):
    """The triggers as of now: no UPDATE OR REPLACE and no session's own setting gets around them."""

    dependencies = [
        ("clinics", "0023_archived_at"),
    ]

    operations = [AppendOnly()]
