from django.db import migrations, models
from django.db.models import F


def _set_up_before(apps, schema_editor):
    """Clinics that are there already are not asked."""
    apps.get_model("clinics", "Clinic").objects.filter(set_up_at=None).update(set_up_at=F("created_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0005_opt_outs"),
    ]

    operations = [
        migrations.AddField(
            model_name="clinic",
            name="set_up_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunPython(_set_up_before, migrations.RunPython.noop),
    ]
