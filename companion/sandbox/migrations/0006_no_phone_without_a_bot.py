import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sandbox", "0005_phones_to_their_bots"),
    ]

    operations = [
        migrations.AlterField(
            model_name="phone",
            name="bot",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="phones",
                to="sandbox.sandboxbot",
            ),
        ),
    ]
