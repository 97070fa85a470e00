from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0013_limits_of_keys"),
    ]

    operations = [
        migrations.AddField(
            model_name="clinic",
            name="archived_at",
            field=models.DateTimeField(null=True),
        ),
    ]
