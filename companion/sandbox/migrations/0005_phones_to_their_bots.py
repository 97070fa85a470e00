"""A phone for each bot that a phone has chatted with: until now all bots shared all phones."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from companion.service.online import OnlineMigration


def part(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Gives the phones to their bots; run a second time, it goes on with those that are left.

    Nobody knows whose a phone without messages is: with several bots it goes, and the next message to its
    Telegram ID makes it anew.
    """
    phones, messages, known = (
        apps.get_model("sandbox", name)._default_manager.using(editor.connection.alias)
        for name in ("Phone", "SandboxMessage", "SandboxBot")
    )
    bots = list(known.values_list("pk", flat=True)[:2])
    for phone in phones.filter(bot=None).order_by("pk"):
        first, *others = messages.filter(phone=phone).values_list("bot", flat=True).order_by("bot").distinct() or [None]
        for bot in others:
            copied = {name: getattr(phone, name) for name in ("first_name", "language", "state", "delay_seconds")}
            made, _new = phones.get_or_create(bot_id=bot, telegram_id=phone.telegram_id, defaults=copied)
            messages.filter(phone=phone, bot=bot).update(phone=made)
        own = first or (bots[0] if len(bots) == 1 else None)
        if own:
            phones.filter(pk=phone.pk).update(bot=own)
        else:
            phone.delete()


class Migration(OnlineMigration):
    dependencies = [
        ("sandbox", "0004_phones_of_a_bot"),
    ]

    operations = [migrations.RunPython(part)]
