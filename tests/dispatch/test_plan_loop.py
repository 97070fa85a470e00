"""The Planner's thread in the dispatcher."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from companion.dispatch.plan_loop import PlanLoop
from companion.schedules.models import Message
from companion.service.clock import Clock
from tests.builders import NOW, a_clinic, a_patient, a_schedule
from tests.support.services import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def a_planner() -> Iterator[PlanLoop]:
    """A planner that works until the end of the block."""
    planner = PlanLoop(Clock(NOW, wall=lambda: NOW, monotonic=lambda: 0.0), nullcontext, 60.0, lambda: None)
    planner.start()
    try:
        yield planner
    finally:
        planner.stop()


def test_a_schedule_that_cannot_be_planned_keeps_no_other_back_and_is_told_of() -> None:
    clinic = a_clinic()
    ana = a_patient(clinic)
    a_schedule(clinic, ana, timezone="Nowhere/Town", planned_until=NOW, next_plan_at=NOW)
    good = a_schedule(clinic, ana, planned_until=NOW, next_plan_at=NOW)

    with a_planner() as planner:
        eventually(lambda: planner.trouble)

    assert planner.trouble
    assert "Planning fails" in planner.trouble
    assert [message.schedule_id for message in Message.objects.all()] == [good.id]
