from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinics", "0022_audit_chained"),
    ]

    operations = [
        migrations.AddField(
            model_name="clinic",
            name="archived_at",
            field=models.DateTimeField(null=True),
        ),
    ]
