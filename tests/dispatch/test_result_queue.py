"""Results on their way into the ledger."""

import asyncio
import uuid
from contextlib import nullcontext
from functools import partial

import msgspec
import pytest
from django.db import IntegrityError

from companion.delivery.results import Result
from companion.delivery.store import Record
from companion.dispatch.ledger import Ledger
from companion.dispatch.result_queue import QueuedResult, ResultQueue
from companion.schedules.models import AttemptOutcome, Message, Status
from tests.builders import NOW, a_clinic, a_message, a_patient

pytestmark = pytest.mark.django_db(transaction=True)


def a_result(message: Message, attempt: uuid.UUID) -> Result:
    record = Record(message.id, attempt, NOW, AttemptOutcome.SENT, Status.SENT, telegram_message_id=7)
    return Result(uuid.UUID(int=1), record, None, None, chat=1)


@pytest.fixture
def begun() -> Message:
    return a_message(a_patient(a_clinic()), open_attempt_id=uuid.UUID(int=9))


def pass_on(committed: asyncio.Future[Result], failure: asyncio.Task[None]) -> None:
    """Give the error of one future to the other, for which the test waits."""
    if not failure.cancelled() and (error := failure.exception()):
        committed.set_exception(error)


def hand_in(result: Result) -> Result:
    """Queues a result and returns the result that its sender is told of. Raises the error that ends the process."""

    async def told() -> Result:
        ledger = Ledger(nullcontext)
        results = ResultQueue(ledger)
        committed: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        ledger.start()
        failure = asyncio.create_task(results.raise_failure())
        failure.add_done_callback(partial(pass_on, committed))
        try:
            results.add(QueuedResult(result, committed.set_result))
            return await asyncio.wait_for(committed, 20)
        finally:
            failure.cancel()
            await asyncio.to_thread(ledger.stop)

    return asyncio.run(told())


def test_the_sender_of_a_result_is_told_once_it_is_committed(begun: Message) -> None:
    result = a_result(begun, uuid.UUID(int=9))

    assert hand_in(result) == result
    assert Message.objects.get(pk=begun.pk).status == Status.SENT


def test_a_result_that_cannot_be_written_down_ends_the_process(begun: Message) -> None:
    fine = a_result(begun, uuid.UUID(int=9))
    nonsense = msgspec.structs.replace(fine, record=msgspec.structs.replace(fine.record, status="nonsense"))

    with pytest.raises(IntegrityError):
        hand_in(nonsense)
