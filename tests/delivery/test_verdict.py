"""The verdict on a Message, case by case."""

import datetime as dt

import msgspec
import pytest

from companion.delivery import verdict as verdicts
from companion.delivery.facts import Facts
from companion.delivery.verdict import End, Go, Verdict, Wait
from companion.patients.models import Consent
from companion.schedules.models import Lane, Quiet, State
from companion.schedules.reasons import Reason
from companion.times.workdays import Calendar
from tests.builders import NOW
from tests.delivery.a_message import READY

SECOND = dt.timedelta(seconds=1)
# 23:00 in Berlin: in the clinic's quiet hours, which end at 07:00 UTC.
NIGHT = NOW.replace(hour=22)
MORNING = (NOW + dt.timedelta(days=1)).replace(hour=7)


def ready(**change: object) -> Facts:
    """READY with these changes."""
    return msgspec.structs.replace(READY, **change)


def verdict(row: Facts, now: dt.datetime) -> Verdict:
    return verdicts.verdict(row, now, chat_gap=SECOND, calendar=Calendar)


def test_a_message_that_nothing_speaks_against_goes() -> None:
    assert verdict(READY, NOW) == Go()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"patient_left": True}, Reason.PATIENT_LEFT),
        ({"schedule_state": State.CANCELLED}, Reason.SCHEDULE_ENDED),
        ({"consent": Consent.WITHDRAWN}, Reason.OPTED_OUT),
        ({"consent": Consent.WITHDRAWN, "lane": Lane.ANSWER}, Reason.OPTED_OUT),
        ({"consent": Consent.WITHDRAWN, "by_hand": True}, Reason.OPTED_OUT),
        ({"consent": Consent.UNKNOWN, "consent_required": True}, Reason.NO_CONSENT),
        ({"telegram_id": None}, Reason.NO_TELEGRAM_ID),
        ({"late_at": NOW}, Reason.TOO_LATE),
        ({"late_at": NOW, "tries": 3}, Reason.GAVE_UP),
        ({"late_at": NOW, "bot_refused": True}, Reason.BOT_UNAUTHORIZED),
        ({"late_at": NOW, "bot_refused": True, "tries": 3}, Reason.BOT_UNAUTHORIZED),
        ({"late_at": NOW, "consent_asked": True, "consent": Consent.UNKNOWN}, Reason.NO_CONSENT),
        ({"newer_is_due": True}, Reason.SUPERSEDED),
    ],
)
def test_a_message_that_will_never_go_ends_with_its_reason(change: dict[str, object], reason: Reason) -> None:
    assert verdict(ready(**change), NOW) == End(reason)


@pytest.mark.parametrize(
    "change",
    [
        {"consent": Consent.WITHDRAWN, "answers_stop_or_start": True},
        {"consent": Consent.UNKNOWN},
        {"consent": Consent.UNKNOWN, "consent_required": True, "lane": Lane.ANSWER},
        {"newer_is_due": True, "by_hand": True},
        {"schedule_state": State.PAUSED, "by_hand": True},
        {"has_patient": False, "consent": "", "lane": Lane.STRANGER},
    ],
)
def test_a_message_that_no_wall_concerns_goes(change: dict[str, object]) -> None:
    assert verdict(ready(**change), NOW) == Go()


def test_nothing_goes_before_its_time() -> None:
    assert verdict(READY, NOW - SECOND) == Wait(NOW)


def test_a_message_whose_plan_may_change_waits_for_the_planner() -> None:
    assert isinstance(verdict(ready(marked=True), NOW), Wait)


def test_a_message_waits_while_sending_is_paused() -> None:
    assert isinstance(verdict(ready(sending_paused=True), NOW), Wait)


def test_a_message_waits_for_the_answer_to_the_consent_question() -> None:
    asked = ready(consent=Consent.UNKNOWN, consent_asked=True)

    assert isinstance(verdict(asked, NOW), Wait)


def test_a_broadcast_waits_for_the_end_of_quiet_hours_and_late_counts_from_there() -> None:
    broadcast = ready(quiet_hours=Quiet.WAIT, late_at=NIGHT + dt.timedelta(hours=1))

    assert verdict(broadcast, NIGHT) == Wait(MORNING, restart=True)


@pytest.mark.parametrize(
    ("day", "goes_on"),
    [
        (dt.date(2027, 5, 6), dt.datetime(2027, 5, 10, 6, tzinfo=dt.UTC)),  # Ascension Day's, on Monday
        (dt.date(2027, 5, 7), dt.datetime(2027, 5, 8, 6, tzinfo=dt.UTC)),  # Friday's own, on Saturday
    ],
)
def test_a_message_that_a_holiday_moved_to_friday_is_not_delayed_onto_saturday(
    day: dt.date, goes_on: dt.datetime
) -> None:
    friday_night = dt.datetime(2027, 5, 7, 21, tzinfo=dt.UTC)
    late = ready(
        occurrence=f"{day}T09:00",
        avoid_holidays=True,
        when_avoided="next",
        quiet_hours=Quiet.WAIT,
        late_at=friday_night + SECOND,
    )

    judged = verdicts.verdict(late, friday_night, chat_gap=SECOND, calendar=lambda: Calendar("DE"))

    assert judged == Wait(goes_on, restart=True)


def test_a_reminder_that_ignores_quiet_hours_goes_at_night() -> None:
    assert verdict(ready(late_at=NIGHT + SECOND), NIGHT) == Go()


def test_a_chat_gets_no_second_message_within_its_second() -> None:
    last = NOW - SECOND / 4

    assert verdict(ready(chat_last_at=last), NOW) == Wait(last + SECOND)


def test_a_message_to_a_patient_on_pause_waits_and_is_judged_again() -> None:
    paused = ready(paused_until=NOW.date() + dt.timedelta(days=2), by_hand=True)

    assert verdict(paused, NOW) == Wait(NOW + dt.timedelta(seconds=10))


def test_an_answer_passes_a_pause() -> None:
    answer = ready(paused_until=NOW.date() + dt.timedelta(days=2), lane=Lane.ANSWER)

    assert verdict(answer, NOW) == Go()


def test_a_pause_that_is_over_holds_nothing() -> None:
    assert verdict(ready(paused_until=NOW.date()), NOW) == Go()
