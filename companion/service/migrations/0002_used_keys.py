from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("service", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="UsedKey",
            fields=[
                ("id", models.CharField(max_length=12, primary_key=True, serialize=False)),
                ("since", models.DateTimeField()),
            ],
        ),
    ]
