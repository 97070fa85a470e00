from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sandbox", "0002_files"),
    ]

    operations = [
        migrations.AddField(
            model_name="sandboxmessage",
            name="edited_at",
            field=models.DateTimeField(null=True),
        ),
    ]
