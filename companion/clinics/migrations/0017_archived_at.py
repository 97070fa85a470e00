from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0016_numbers_known_from_now_on"),
    ]

    operations = [
        migrations.AddField(
            model_name="clinic",
            name="archived_at",
            field=models.DateTimeField(null=True),
        ),
    ]
