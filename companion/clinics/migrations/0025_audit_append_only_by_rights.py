from companion.clinics.append_only import AppendOnly, ByRights
from companion.service.online import OnlineMigration


class Migration(OnlineMigration):
    """No role has the right to change or remove an entry. The triggers run with a search path of their own."""

    dependencies = [
        ("clinics", "0024_audit_append_only_again"),
    ]

    operations = [AppendOnly(), ByRights()]
