from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0016_numbers_known_from_now_on"),
    ]

    operations = [
        migrations.AddField("auditentry", "actor_id", models.UUIDField(null=True)),
        migrations.AddField("auditentry", "on_behalf_of", models.CharField(max_length=200, default="", db_default="")),
        migrations.AddField("auditentry", "address", models.CharField(max_length=64, default="", db_default="")),
        migrations.AddField("auditentry", "reading", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("auditentry", "changes", models.JSONField(default=dict, db_default={})),
        migrations.AddField("auditentry", "key_id", models.CharField(max_length=16, default="", db_default="")),
        migrations.AddField("auditentry", "seal", models.CharField(max_length=64, default="", db_default="")),
        migrations.AddField("auditentry", "number", models.BigIntegerField(null=True)),
        migrations.AddField("auditentry", "hash", models.CharField(max_length=64, default="", db_default="")),
    ]
