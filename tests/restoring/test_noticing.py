"""A database that is older than what it once knew is noticed at the next start, with real processes."""

from pathlib import Path

import pytest

from companion.clinics.models import Bot, Clinic
from companion.restoring.models import Restoration
from companion.schedules.models import Attempt, Message, Status
from companion.service.models import Heartbeat
from tests.builders import a_bot, a_clinic
from tests.faults.drains import a_backlog, drained, fast
from tests.support.services import a_service, eventually, stop
from tests.support.stand_in import StandIn


@pytest.fixture
def environment(product_environment: dict[str, str], telegram: StandIn, tmp_path: Path) -> dict[str, str]:
    return fast(product_environment, telegram) | {"COMPANION_JOURNAL_DIR": str(tmp_path)}


def worked(environment: dict[str, str], clinic: Clinic, *services: str) -> None:
    """Services that run until nothing waits, and stop cleanly."""
    for name in services:
        with a_service(name, environment) as process:
            eventually(Heartbeat.objects.filter(kind=name).exists, f"{name} at work")
            if name == "dispatcher" and clinic.sending_paused_at is None:
                drained(clinic)
            assert stop(process) == 0


def made_older() -> None:
    """The database is as it was before anything was sent."""
    Attempt.objects.all().delete()
    pending = {"status": Status.PENDING, "tries": 0, "sent_at": None, "ended_at": None, "telegram_message_id": None}
    Message.objects.update(**pending)


def a_sent_backlog(environment: dict[str, str], telegram: StandIn) -> Clinic:
    clinic = a_clinic()
    a_bot(clinic)
    a_backlog(clinic, 5)
    worked(environment, clinic, "dispatcher")
    assert len(telegram.arrivals) == 5
    return clinic


def test_an_older_database_is_paused_at_the_start_and_sends_nothing_twice(
    environment: dict[str, str], telegram: StandIn
) -> None:
    clinic = a_sent_backlog(environment, telegram)
    made_older()

    with a_service("dispatcher", environment) as process:
        eventually(Restoration.objects.exists, "the older database noticed")
        eventually(Heartbeat.objects.filter(kind="dispatcher").exists, "the dispatcher at work")
        assert stop(process) == 0

    clinic.refresh_from_db()
    assert clinic.sending_paused_at is not None
    assert len(telegram.arrivals) == 5
    # The Journal tells that Telegram took all of them.
    assert set(Message.objects.values_list("status", flat=True)) == {Status.SENT}


def test_a_restore_that_was_noticed_and_acknowledged_is_not_noticed_again(
    environment: dict[str, str], telegram: StandIn
) -> None:
    clinic = a_sent_backlog(environment, telegram)
    made_older()
    clinic.sending_paused_at = clinic.created_at
    worked(environment, clinic, "dispatcher")
    Clinic.objects.update(sending_paused_at=None, sending_paused_by="")

    worked(environment, Clinic.objects.get(), "dispatcher")

    assert Restoration.objects.count() == 1
    assert Clinic.objects.get().sending_paused_at is None


def test_updates_that_were_confirmed_and_are_unknown_are_noticed(
    environment: dict[str, str], telegram: StandIn
) -> None:
    clinic = a_clinic()
    bot = a_bot(clinic, next_update_id=1001)
    with a_service("listener", environment) as process:
        for text in ("Hello", "Thank you"):
            update = telegram.hear(4711, text)
            eventually(lambda: telegram.is_confirmed(update), "the update worked off")  # noqa: B023  (waited for here)
        assert stop(process) == 0
    Bot.objects.filter(pk=bot.pk).update(next_update_id=1001)

    with a_service("listener", environment) as process:
        eventually(Restoration.objects.exists, "the older database noticed")
        stop(process)

    clinic.refresh_from_db()
    assert clinic.sending_paused_at is not None


def test_a_database_that_knows_all_starts_without_a_word(environment: dict[str, str], telegram: StandIn) -> None:
    clinic = a_sent_backlog(environment, telegram)

    worked(environment, clinic, "listener", "dispatcher")

    assert not Restoration.objects.exists()
