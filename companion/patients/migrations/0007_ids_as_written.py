# How a source writes an id out of which characters that nobody sees were taken.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0006_longer_languages"),
    ]

    operations = [
        migrations.AddField(
            model_name="patient",
            name="external_id_written",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
    ]
