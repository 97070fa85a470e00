from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0012_keyed_hashes"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="expires_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="kind",
            field=models.CharField(
                blank=True,
                choices=[("live", "Live"), ("practice", "Practice")],
                db_default="",
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="networks",
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="apikey",
            name="prefix",
            field=models.CharField(blank=True, db_default="", default="", max_length=24),
        ),
        migrations.AddField(
            model_name="apikey",
            name="scopes",
            field=models.JSONField(db_default=[], default=list),
        ),
    ]
