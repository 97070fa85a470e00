from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="idempotentcall",
            name="tag",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
    ]
