from django.db import connection, migrations, transaction

from companion.clinics import chain, seals
from companion.service.key_ring import ring
from companion.service.online import OnlineMigration

_AT_ONCE = 1000


def chain_what_is_there(apps, schema_editor):
    """Seal and chain the entries from before the chain, the oldest first. Each batch is a transaction of its own on
    PostgreSQL; after a kill the next run goes on where this one ended.
    """
    entries = apps.get_model("clinics", "AuditEntry").objects
    for clinic in entries.filter(seal="").order_by().values_list("clinic_id", flat=True).distinct():
        while _some(entries.filter(clinic_id=clinic), clinic):
            pass


def _some(entries, clinic):
    with transaction.atomic():
        # A service of this version may run already.
        chain.take_turns(clinic)
        newest = entries.filter(number__isnull=False).order_by("-number").values_list("number", "hash").first()
        number, before = newest or (0, seals.BEGINNING)
        key, rows = ring().in_use, []
        found = entries.filter(number=None, seal="").order_by("id").values(*seals.COLUMNS)[:_AT_ONCE]
        for entry in found:
            number += 1
            seal = seals.seal_of(entry, key)
            before = seals.link_of(clinic, number, before, seal, key)
            own = entry["id"] if connection.vendor == "postgresql" else entry["id"].hex
            rows.append((key.id, seal, number, before, own))
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE clinics_auditentry SET key_id = %s, seal = %s, number = %s, hash = %s WHERE id = %s", rows
            )
    return bool(rows)


class Migration(OnlineMigration):
    dependencies = [
        ("clinics", "0021_audit_append_only"),
    ]

    operations = [migrations.RunPython(chain_what_is_there, migrations.RunPython.noop)]
