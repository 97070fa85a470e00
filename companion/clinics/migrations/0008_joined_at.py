from django.db import migrations, models
from django.db.models import F


def _joined_before(apps, schema_editor):
    """Members who have signed in before stay members. Others accept by the link of an admin or of the operator."""
    members = apps.get_model("clinics", "Member").objects.filter(joined_at=None, user__last_login__isnull=False)
    members.update(joined_at=F("created_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0007_no_count_of_failures"),
    ]

    operations = [
        migrations.AddField(
            model_name="member",
            name="joined_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunPython(_joined_before, migrations.RunPython.noop),
    ]
