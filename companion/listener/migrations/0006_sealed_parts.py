from django.db import migrations

import companion.clinics.sealed


class Migration(migrations.Migration):
    """Name the field type of a file's pieces. The column stays as it is."""

    dependencies = [("listener", "0005_corrections_indexed")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="mediapart",
                    name="content",
                    field=companion.clinics.sealed.SealedBytesField(
                        bound_to=("media_id", "number"), purpose="listener.MediaPart.content"
                    ),
                )
            ]
        )
    ]
