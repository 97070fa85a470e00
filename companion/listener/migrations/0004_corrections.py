import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("listener", "0003_media"),
    ]

    operations = [
        migrations.AddField(
            model_name="reply",
            name="corrects",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="corrections",
                to="listener.reply",
            ),
        ),
    ]
