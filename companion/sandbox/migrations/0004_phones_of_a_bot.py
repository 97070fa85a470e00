import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sandbox", "0003_edited_messages"),
    ]

    operations = [
        migrations.AddField(
            model_name="phone",
            name="bot",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="phones",
                to="sandbox.sandboxbot",
            ),
        ),
        migrations.AlterField(
            model_name="phone",
            name="telegram_id",
            field=models.BigIntegerField(),
        ),
    ]
