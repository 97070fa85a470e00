from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("restoring", "0002_drills")]

    operations = [
        migrations.AddField("restoration", "all_known", models.BooleanField(default=False, db_default=False)),
    ]
