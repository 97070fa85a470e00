"""Two patients with any plans, merged at any moment: nobody gets an Occurrence twice, and none is lost."""

import datetime as dt
from collections import Counter
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion.clinics.models import Bot, Clinic, Role
from companion.planning import acts, marks
from companion.rights.merging import merge
from companion.schedules.models import Message, Status
from companion.schedules.reasons import Reason
from tests.builders import NOW, a_bot, a_caller, a_clinic, a_cohort, a_patient
from tests.planning.days import deliver, plan, run
from tests.planning.plans import planned

HOUR: Final = dt.timedelta(hours=1)
DAYS: Final = 2
LIVE: Final = (Status.PENDING, Status.SENT)
PLANS: Final = st.lists(
    st.tuples(st.sampled_from(["first", "second", "both", "cohort"]), st.integers(0, 23), st.booleans()),
    max_size=3,
)
ACTS: Final = ("unknown", "failed", "cancel", "edit", "now")
HANDS: Final = st.lists(st.tuples(st.integers(0, 11), st.sampled_from(ACTS)), min_size=2, max_size=6)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans=PLANS, hands=HANDS, hours=st.integers(1, 60), into_second=st.booleans(), in_cohort=st.booleans())
def test_nobody_gets_an_occurrence_twice_and_none_is_lost(
    db: None,
    plans: list[tuple[str, int, bool]],
    hands: list[tuple[int, str]],
    hours: int,
    into_second: bool,
    in_cohort: bool,
) -> None:
    clinic = a_clinic(timezone="UTC")
    bot, first, second = a_bot(clinic), a_patient(clinic, "Ana"), a_patient(clinic, "Ana Silva")
    cohort = a_cohort(clinic, "", *([first, second] if in_cohort else [second]))
    named = {"first": [first], "second": [second], "both": [first, second], "cohort": []}
    for who, hour, daily in [("both", 9, True), *plans]:
        whom: dict[str, Any] = {"cohort": str(cohort.id), "patients": None} if who == "cohort" else {}
        when: dict[str, Any] = {
            "starts_at": f"2026-12-02T{hour:02}:00",
            "recurrence": {"frequency": "daily"} if daily else None,
        }
        planned(clinic, *named[who], **when | whom)
    merged_at = NOW + hours * HOUR
    run(bot, since=NOW, until=merged_at)
    plan(now=merged_at)
    for place, act in hands:
        _lay_a_hand_on(bot, place, act, merged_at)
    gone, stays = (first, second) if into_second else (second, first)
    before = _promised(clinic)
    got_before = _got(clinic)

    merge(a_caller(clinic, Role.PROVIDER), gone, stays, now=merged_at)
    marks.work_off_of(clinic, stays.pk, now=merged_at)

    assert not Message.objects.filter(patient=gone.pk).exists()
    assert _got(clinic) >= got_before
    after = _promised(clinic)
    assert set(after.elements()) == set(before.elements())
    assert max(after.values(), default=1) == 1
    assert not _waits_again(clinic)
    for day in range(1, DAYS):
        run(bot, since=merged_at + day * 24 * HOUR - 24 * HOUR, until=merged_at + day * 24 * HOUR)
    assert {key: got_before.get(key, 1) for key in _got(clinic)} == dict(_got(clinic))


def _lay_a_hand_on(bot: Bot, place: int, act: str, now: dt.datetime) -> None:
    """Let something happen to one of the Messages that wait."""
    waiting = list(Message.objects.filter(status=Status.PENDING, schedule__isnull=False).order_by("due_at", "id"))
    if not waiting:
        return
    message = waiting[place % len(waiting)]
    caller = a_caller(message.clinic)
    match act:
        case "cancel":
            acts.cancel(caller, message, now=now)
        case "edit":
            acts.edit(caller, message, new_text="Take half a tablet.", now=now)
        case "now":
            acts.send_now(caller, message, now=now)
            deliver(bot, now=now)
        case _:
            reason = Reason.OUTCOME_UNKNOWN if act == "unknown" else Reason.NO_TELEGRAM_ID
            tries = 1 if act == "unknown" else 0
            Message.objects.filter(pk=message.pk).update(status=Status.FAILED, reason=reason, ended_at=now, tries=tries)


def _waits_again(clinic: Clinic) -> set[tuple[object, str]]:
    """The Occurrences that wait although the patient has got them, or may have."""
    own = Message.objects.filter(clinic=clinic, occurrence__gt="")
    got = {
        _key(message) for message in own if message.status == Status.SENT or message.reason == Reason.OUTCOME_UNKNOWN
    }
    return got & {_key(message) for message in own.filter(status=Status.PENDING)}


def _promised(clinic: Clinic) -> Counter[tuple[object, str]]:
    """The Occurrences that wait and that nobody has or may have got, each by how many Messages wait."""
    own = Message.objects.filter(clinic=clinic, occurrence__gt="")
    got = {
        _key(message) for message in own if message.status == Status.SENT or message.reason == Reason.OUTCOME_UNKNOWN
    }
    return Counter(key for message in own.filter(status=Status.PENDING) if (key := _key(message)) not in got)


def _got(clinic: Clinic) -> Counter[tuple[object, str]]:
    """Return how often each Occurrence was sent."""
    return Counter(
        _key(message) for message in Message.objects.filter(clinic=clinic, status=Status.SENT, occurrence__gt="")
    )


def _key(message: Message) -> tuple[object, str]:
    """The Occurrence, also of a Message that stands beside its series since a merge."""
    return message.version and message.version.schedule_id, message.occurrence
