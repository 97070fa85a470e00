"""The migration that gives each phone to its bot: until then all bots shared all phones."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from tests.support.former import Former, a_former_database

pytestmark = pytest.mark.django_db
BEFORE, AFTER = ("sandbox", "0003_edited_messages"), ("sandbox", "0007_phones_once_of_a_bot")


@pytest.fixture
def former(tmp_path: Path) -> Iterator[Former]:
    with a_former_database(tmp_path) as database:
        database.migrate(BEFORE)
        yield database


def a_bot(former: Former, number: int) -> int:
    bots = former.rows("sandbox", "SandboxBot")
    return int(bots.create(telegram_id=number, token_hash=str(number), last_update_id=1).pk)


def a_phone(former: Former, number: int, *chats_with: int, state: str = "normal") -> None:
    made = former.rows("sandbox", "Phone").create(telegram_id=number, first_name="Ana", state=state)
    for bot in chats_with:
        former.rows("sandbox", "SandboxMessage").create(
            bot_id=bot, phone=made, message_id=number, from_bot=True, text="Hello", at=timezone.now()
        )


def phones_of(former: Former) -> set[tuple[int, int, str]]:
    return set(former.rows("sandbox", "Phone").values_list("bot", "telegram_id", "state"))


def test_each_bot_keeps_the_phones_it_chats_with_and_their_chats(former: Former) -> None:
    linden, birch = a_bot(former, 1), a_bot(former, 2)
    a_phone(former, 5, linden)
    a_phone(former, 6, linden, birch, state="blocked")
    a_phone(former, 7)

    former.migrate(AFTER)

    assert phones_of(former) == {(linden, 5, "normal"), (linden, 6, "blocked"), (birch, 6, "blocked")}
    chats = former.rows("sandbox", "SandboxMessage").values_list("bot", "phone__bot")
    assert sorted(chats) == [(linden, linden), (linden, linden), (birch, birch)]


def test_the_only_bot_keeps_its_silent_phones_too(former: Former) -> None:
    linden = a_bot(former, 1)
    a_phone(former, 7, state="not_started")

    former.migrate(AFTER)

    assert phones_of(former) == {(linden, 7, "not_started")}
