from django.db import migrations

import companion.clinics.sealed


class Migration(migrations.Migration):
    """Names the field type of a keyed hash. The column stays as it is."""

    dependencies = [("clinics", "0011_known_devices")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="optout",
                    name="chat",
                    field=companion.clinics.sealed.KeyedHashField(max_length=64),
                )
            ]
        )
    ]
