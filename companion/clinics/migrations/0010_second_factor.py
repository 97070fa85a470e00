from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0009_a_bot_that_hangs"),
    ]

    operations = [
        migrations.AddField(
            model_name="clinic",
            name="second_factor",
            field=models.CharField(
                blank=True,
                choices=[("", "Nobody"), ("admins", "Admins"), ("all", "All members")],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
    ]
