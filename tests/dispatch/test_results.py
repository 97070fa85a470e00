"""What has ended, on its way into the ledger."""

import asyncio
import uuid
from contextlib import nullcontext
from functools import partial

import msgspec
import pytest
from django.db import IntegrityError

from companion.delivery.store import Record
from companion.dispatch.conclude import Conclusion
from companion.dispatch.house import Ending, Results
from companion.dispatch.ledger import Ledger
from companion.schedules.models import AttemptOutcome, Message, Status
from tests.builders import NOW, a_clinic, a_message, a_patient

pytestmark = pytest.mark.django_db(transaction=True)


def a_conclusion(message: Message, attempt: uuid.UUID) -> Conclusion:
    record = Record(message.id, attempt, NOW, AttemptOutcome.SENT, Status.SENT, telegram_message_id=7)
    return Conclusion(uuid.UUID(int=1), record, None, None)


@pytest.fixture
def begun() -> Message:
    return a_message(a_patient(a_clinic()), open_attempt_id=uuid.UUID(int=9))


def failed(written: asyncio.Future[Conclusion], watch: asyncio.Task[None]) -> None:
    """Whoever waits for the one hears what the other raised."""
    if not watch.cancelled() and (error := watch.exception()):
        written.set_exception(error)


def hand_in(conclusion: Conclusion) -> Conclusion:
    """To a ledger at work; what its own caller then hears. Raises what the watch over the results raises."""

    async def heard() -> Conclusion:
        ledger = Ledger(nullcontext)
        results = Results(ledger)
        written: asyncio.Future[Conclusion] = asyncio.get_running_loop().create_future()
        ledger.start()
        watch = asyncio.create_task(results.watch())
        watch.add_done_callback(partial(failed, written))
        try:
            results.add(Ending(conclusion, written.set_result))
            return await asyncio.wait_for(written, 20)
        finally:
            watch.cancel()
            await asyncio.to_thread(ledger.stop)

    return asyncio.run(heard())


def test_who_handed_a_conclusion_in_hears_once_it_is_committed(begun: Message) -> None:
    conclusion = a_conclusion(begun, uuid.UUID(int=9))

    assert hand_in(conclusion) == conclusion
    assert Message.objects.get(pk=begun.pk).status == Status.SENT


def test_a_conclusion_that_cannot_be_written_down_ends_the_process_aloud(begun: Message) -> None:
    fine = a_conclusion(begun, uuid.UUID(int=9))
    nonsense = msgspec.structs.replace(fine, record=msgspec.structs.replace(fine.record, status="nonsense"))

    with pytest.raises(IntegrityError):
        hand_in(nonsense)
