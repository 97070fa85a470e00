"""Alerts' webhooks become webhooks that hear of alerts. Their secrets get the form of Standard Webhooks."""

import base64

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from companion.clinics.sealed import CannotOpen
from companion.service.online import OnlineMigration
from companion.webhooks.signing import PREFIX


def take_over(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Copies each webhook; run a second time, it goes on with those that are left.

    A webhook that this secret key can't open could not be called either, and is left behind. So are the calls that still
    waited: they would have had the former signature.
    """
    former, webhooks, wishes, notices = (
        apps.get_model(*name)._default_manager.using(editor.connection.alias)
        for name in (("panel", "AlertWebhook"), ("webhooks", "Webhook"), ("webhooks", "Wish"), ("panel", "Notice"))
    )
    for id in former.values_list("pk", flat=True):
        try:
            old = former.get(pk=id)
        except CannotOpen:
            continue
        # A receiver that knows the former secret S uses whsec_ and the base64 of S from now on.
        secret = f"{PREFIX}{base64.b64encode(old.secret.encode()).decode()}"
        new, _made = webhooks.get_or_create(
            pk=old.pk,
            defaults={"clinic_id": old.clinic_id, "url": old.url, "secret": secret, "created_at": old.created_at},
        )
        wishes.get_or_create(clinic_id=old.clinic_id, webhook_id=new.pk, kind="alert")
    notices.filter(way="webhook").delete()


class Migration(OnlineMigration):
    dependencies = [
        ("panel", "0006_bot_check"),
        ("webhooks", "0001_initial"),
    ]

    operations = [migrations.RunPython(take_over)]
