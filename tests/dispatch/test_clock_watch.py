"""A clock that steps or is wrong: no message begins or fails because of it, and sending continues by itself."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

import pytest

from companion.clinics.models import Clinic
from companion.dispatch import clock_watch
from companion.dispatch.ledger import Ledger
from companion.dispatch.state import DispatcherState
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from companion.service.clock import Clock, machine_now
from companion.telegram.client import BotToken, Client
from tests.builders import a_bot, a_clinic, a_message, a_patient
from tests.support.services import a_service, eventually
from tests.support.stand_in import StandIn

HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
TOKEN = BotToken("700000001:" + "A" * 35)


@asynccontextmanager
async def a_dispatcher(telegram: StandIn, *, step: dt.timedelta) -> AsyncIterator[DispatcherState]:
    """A dispatcher on PostgreSQL whose clock is watched. The database server's clock has jumped by `step`."""
    async with Client(telegram.url, concurrency=10) as client:
        dispatcher = DispatcherState(
            clock=Clock(machine_now()),
            ledger=Ledger(nullcontext),
            client=client,
            rate_per_second=30.0,
            rate_per_chat=1.0,
            concurrency=10,
            lease_seconds=60.0,
            wake_seconds=60.0,
            machine_clock=False,
        )
        dispatcher.database_step = step
        watching = asyncio.create_task(clock_watch.keep_watch(dispatcher, lambda: TOKEN, lambda: None))
        try:
            yield dispatcher
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


async def becomes(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(eventually, condition)


@pytest.mark.parametrize("hours", [5, -5])
async def test_a_database_server_whose_clock_jumps_is_not_followed(telegram: StandIn, hours: int) -> None:
    async with a_dispatcher(telegram, step=hours * HOUR) as dispatcher:
        await becomes(lambda: dispatcher.halted and "database server's clock differs" in dispatcher.halted)
        assert abs(dispatcher.clock.now() - machine_now()) < SECOND

        dispatcher.database_step = dt.timedelta()
        await becomes(lambda: not dispatcher.halted and not dispatcher.clock_suspect)

        assert abs(dispatcher.clock.now() - machine_now()) < SECOND


async def test_a_step_that_agrees_with_telegrams_date_is_taken_over(telegram: StandIn) -> None:
    async with a_dispatcher(telegram, step=40 * SECOND) as dispatcher:
        await becomes(lambda: not dispatcher.clock_suspect)

        assert abs(dispatcher.clock.now() - machine_now() - 40 * SECOND) < SECOND
        assert dispatcher.database_step == dt.timedelta()


@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_that_starts_with_a_wrong_clock_calls_nothing_too_late_by_it(
    telegram: StandIn, product_environment: dict[str, str]
) -> None:
    clinic: Clinic = a_clinic()
    a_bot(clinic)
    # By Telegram's Date this is in time: the machine's clock is three hours ahead.
    telegram.ahead = -3 * 3600
    past = machine_now() - HOUR
    message = a_message(a_patient(clinic), due_at=past, ready_at=past, late_at=past + HOUR / 2)

    with a_service("dispatcher", product_environment | {"COMPANION_TELEGRAM_API_URL": telegram.url}):
        # From the third question on, a second after the first, the sweep has run too.
        eventually(lambda: len(telegram.asked) >= 4, "getMe, again and again")
        message.refresh_from_db()
        assert message.status == Status.PENDING

        telegram.ahead = 0
        eventually(lambda: Message.objects.get().reason == Reason.TOO_LATE)
