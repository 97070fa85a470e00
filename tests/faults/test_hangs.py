"""A Telegram that accepts requests but answers none: few messages become unknown, and all others leave afterwards."""

from contextlib import ExitStack
from typing import Literal

import pytest
from aiohttp import web

from companion.clinics.models import Bot, Clinic
from companion.schedules.models import Attempt, Message, Status
from companion.schedules.reasons import Reason
from tests.faults.drains import a_backlog, check, drained, fast
from tests.support import session
from tests.support.services import a_service, eventually
from tests.support.stand_in import Arrival, StandIn, refusal

pytestmark = pytest.mark.django_db(transaction=True)
BACKLOG = 150
MOST_UNKNOWN = {"hangs": 62, "closes": 12, "gateway": 12}
"""A rate of 29 a second; an answer is late after two seconds at most, and all other hangs are seen at once."""


@pytest.mark.parametrize("silent", ["hangs", "closes", "gateway"])
def test_a_telegram_that_answers_nothing_makes_few_unknown(
    product_environment: dict[str, str],
    clinic: Clinic,
    telegram: StandIn,
    silent: Literal["hangs", "closes", "gateway"],
) -> None:
    a_backlog(clinic, BACKLOG)
    environment = fast(product_environment, telegram) | {"COMPANION_RATE_PER_SECOND": "30"}
    with ExitStack() as services:
        for _ in range(3 if session.on_postgresql() else 1):
            services.enter_context(a_service("dispatcher", environment))
        eventually(lambda: len(telegram.arrivals) >= 30)

        telegram.silent = silent
        eventually(lambda: unknown(clinic) and not Attempt.objects.filter(clinic=clinic, outcome="").exists())
        probes = len(telegram.asked)
        eventually(lambda: len(telegram.asked) > probes)
        telegram.silent = ""
        drained(clinic)

    toll = check(clinic, telegram)
    assert toll.unknown == toll.failed <= MOST_UNKNOWN[silent]
    assert toll.sent == BACKLOG - toll.unknown
    assert Bot.objects.get(clinic=clinic).closed_why == ""


@pytest.mark.parametrize(
    ("code", "description", "parameters"),
    [(502, "Bad Gateway", {}), (429, "Too Many Requests: retry after 1", {"retry_after": 1})],
    ids=["gateway", "asks to wait"],
)
def test_refusals_after_a_hang_delay_the_next_message_by_seconds_only(
    product_environment: dict[str, str],
    clinic: Clinic,
    telegram: StandIn,
    code: int,
    description: str,
    parameters: dict[str, object],
) -> None:
    fates = iter(["hangs up", *["refuses"] * 5, "accepts"] * 5)

    async def answer(arrival: Arrival) -> web.StreamResponse:
        fate = next(fates, "accepts")
        if fate == "hangs up" and arrival.request.transport:
            arrival.request.transport.close()
        elif fate == "refuses":
            return refusal(code, description, **parameters)
        return telegram.yes(arrival)

    telegram.answer = answer
    a_backlog(clinic, 30)

    with a_service("dispatcher", fast(product_environment, telegram)):
        # If each refusal cost ten seconds, this would take longer than the test waits.
        eventually(lambda: Message.objects.filter(clinic=clinic, status=Status.SENT).count() == 25)

    assert unknown(clinic) == 5


def unknown(clinic: Clinic) -> int:
    return Message.objects.filter(clinic=clinic, reason=Reason.OUTCOME_UNKNOWN).count()
