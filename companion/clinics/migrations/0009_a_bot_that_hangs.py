from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0008_joined_at"),
    ]

    operations = [
        migrations.AlterField(
            model_name="bot",
            name="closed_why",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "open"),
                    ("retry_after", "Telegram asked us to wait"),
                    ("circuit", "Telegram can't be reached"),
                    ("hanging", "Telegram takes requests and doesn't answer"),
                    ("unauthorized", "Telegram refuses the bot's token"),
                ],
                default="",
                max_length=16,
            ),
        ),
    ]
