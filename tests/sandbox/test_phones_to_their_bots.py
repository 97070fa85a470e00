"""The migration that gives each phone to its bot: until then all bots shared all phones. It runs on a database of its
own, since the present tables can't hold the rows of before.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps
from django.utils import timezone

pytestmark = pytest.mark.django_db
BEFORE, AFTER = ("sandbox", "0003_edited_messages"), ("sandbox", "0007_phones_once_of_a_bot")
OLD = "old"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[DatabaseWrapper]:
    settings = connections["default"].settings_dict | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "old.sqlite3"),
        "OPTIONS": {},
    }
    connections[OLD] = made = DatabaseWrapper(settings, OLD)
    yield made
    made.close()
    del connections[OLD]


def tables(old: DatabaseWrapper, at: tuple[str, str]) -> StateApps:
    """Migrate the Sandbox's tables to this migration."""
    return MigrationExecutor(old).migrate([at]).apps


def a_bot(apps: StateApps, number: int) -> int:
    bots = apps.get_model("sandbox", "SandboxBot")._default_manager.using(OLD)
    return int(bots.create(telegram_id=number, token_hash=str(number), last_update_id=1).pk)


def a_phone(apps: StateApps, number: int, *chats_with: int, state: str = "normal") -> None:
    phones, messages = (
        apps.get_model("sandbox", name)._default_manager.using(OLD) for name in ("Phone", "SandboxMessage")
    )
    made = phones.create(telegram_id=number, first_name="Ana", state=state)
    for bot in chats_with:
        messages.create(bot_id=bot, phone=made, message_id=number, from_bot=True, text="Hello", at=timezone.now())


def phones_after(apps: StateApps) -> set[tuple[int, int, str]]:
    phones = apps.get_model("sandbox", "Phone")._default_manager.using(OLD)
    return set(phones.values_list("bot", "telegram_id", "state"))


def test_each_bot_keeps_the_phones_it_chats_with_and_their_chats(old: DatabaseWrapper) -> None:
    before = tables(old, BEFORE)
    linden, birch = a_bot(before, 1), a_bot(before, 2)
    a_phone(before, 5, linden)
    a_phone(before, 6, linden, birch, state="blocked")
    a_phone(before, 7)

    after = tables(old, AFTER)

    assert phones_after(after) == {(linden, 5, "normal"), (linden, 6, "blocked"), (birch, 6, "blocked")}
    chats = after.get_model("sandbox", "SandboxMessage")._default_manager.using(OLD)
    assert all(chat.bot_id == chat.phone.bot_id for chat in chats.select_related("phone"))
    assert chats.count() == 3


def test_the_only_bot_keeps_its_silent_phones_too(old: DatabaseWrapper) -> None:
    before = tables(old, BEFORE)
    linden = a_bot(before, 1)
    a_phone(before, 7, state="not_started")

    assert phones_after(tables(old, AFTER)) == {(linden, 7, "not_started")}
