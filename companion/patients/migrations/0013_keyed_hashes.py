from django.db import migrations

import companion.clinics.sealed


class Migration(migrations.Migration):
    """Names the field type of a keyed hash. The column stays as it is."""

    dependencies = [("patients", "0012_former_patients")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="formerpatient",
                    name="external_id_hash",
                    field=companion.clinics.sealed.KeyedHashField(max_length=64),
                )
            ]
        )
    ]
