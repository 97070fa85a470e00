from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("panel", "0007_webhooks_of_their_own"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="notice",
            name="way",
        ),
        migrations.DeleteModel(
            name="AlertWebhook",
        ),
    ]
