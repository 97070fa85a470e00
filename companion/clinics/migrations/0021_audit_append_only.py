from companion.clinics.append_only import AppendOnly
from companion.service.online import OnlineMigration


class Migration(OnlineMigration):
    dependencies = [
        ("clinics", "0020_audit_entry_once_in_a_chain"),
    ]

    operations = [AppendOnly()]
