# Takes the characters that nobody sees out of the ids and search keys that are there, a batch at a time.

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from companion.patients.characters import with_plain_spaces, without_invisible
from companion.patients.names import search_key
from companion.service.online import OnlineMigration

_AT_ONCE = 1000


def clean(apps: Apps, _: BaseDatabaseSchemaEditor) -> None:
    """An id stays as it is where another patient of the clinic has the clean one."""
    patients = apps.get_model("patients", "Patient").objects
    columns = ("id", "clinic_id", "name", "external_id", "search")
    rows = list(patients.order_by("id").values_list(*columns)[:_AT_ONCE])
    while rows:
        for pk, clinic, name, written, key in rows:
            found = {"search": search_key(name, written)}
            external_id = with_plain_spaces(without_invisible(written)).strip()
            free = (
                external_id != written
                and external_id
                and not patients.filter(clinic_id=clinic, external_id=external_id).exists()
            )
            if free:
                found |= {"external_id": external_id, "external_id_written": written}
            if found != {"search": key}:
                patients.filter(pk=pk, external_id=written, name=name).update(**found)
        rows = list(patients.filter(id__gt=rows[-1][0]).order_by("id").values_list(*columns)[:_AT_ONCE])


class Migration(OnlineMigration):
    dependencies = [
        ("patients", "0007_ids_as_written"),
    ]

    operations = [migrations.RunPython(clean, migrations.RunPython.noop)]
