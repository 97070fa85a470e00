"""DESIGN's rules of health, on values."""

from dataclasses import replace

import pytest

from companion.clinics.models import Closed
from companion.panel import judge
from companion.panel.direct import Answer, NoAnswer
from companion.panel.facts import Sending
from companion.panel.finding import Cause, Finding, worst
from companion.service.models import Kind
from tests.builders import NOW
from tests.panel.stories import ago, all_alive, beat, facts, of_the_sandbox, sending


def verdict(clinic: Sending) -> str:
    return worst(finding.status for finding in judge.findings(facts(clinic), now=NOW))


def words(clinic: Sending) -> str:
    return " ".join(finding.words for finding in judge.findings(facts(clinic), now=NOW))


def test_nothing_is_wrong_while_all_services_live_and_nothing_waits() -> None:
    assert judge.findings(facts(), now=NOW) == []


def test_a_message_that_has_waited_for_less_than_thirty_seconds_is_not_overdue() -> None:
    assert verdict(sending(reminder_since=ago(seconds=29))) == "ok"


def test_a_message_overdue_by_thirty_seconds_degrades() -> None:
    assert verdict(sending(reminder_since=ago(seconds=30), attempted_at=ago(seconds=5))) == "degraded"


def test_a_broadcast_that_queues_for_the_rate_of_a_sending_bot_is_not_overdue() -> None:
    assert verdict(sending(other_since=ago(minutes=20), attempted_at=ago(seconds=1))) == "ok"


def test_a_broadcast_is_overdue_once_its_bot_no_longer_sends() -> None:
    assert verdict(sending(other_since=ago(minutes=20), attempted_at=ago(minutes=10))) == "degraded"


def test_five_minutes_overdue_with_nothing_tried_since_is_down() -> None:
    assert verdict(sending(reminder_since=ago(minutes=5), attempted_at=ago(minutes=6))) == "down"


def test_five_minutes_overdue_while_others_are_tried_only_degrades() -> None:
    assert verdict(sending(reminder_since=ago(minutes=5), attempted_at=ago(minutes=1))) == "degraded"


def test_a_pause_never_brings_health_down() -> None:
    assert verdict(sending(paused=True, reminder_since=ago(hours=2))) == "degraded"
    assert verdict(sending(paused=True, restored=True, reminder_since=ago(hours=2))) == "degraded"


def test_a_refused_bot_never_brings_health_down() -> None:
    assert verdict(sending(closed_why=Closed.UNAUTHORIZED, reminder_since=ago(hours=2))) == "degraded"


def test_overdue_messages_without_any_dispatcher_are_down() -> None:
    beats = (beat(Kind.WEB), beat(Kind.LISTENER), beat(Kind.DISPATCHER, seconds=40))

    found = judge.findings(facts(sending(reminder_since=ago(seconds=31)), beats), now=NOW)

    assert found[0].status == "down"


@pytest.mark.parametrize(
    ("said", "cause", "begins"),
    [
        (
            Answer(
                "degraded", "The dispatcher runs, but can't write: the database is read-only.", "database_read_only"
            ),
            Cause.DATABASE_READ_ONLY,
            "The dispatcher runs, but can't write: the database is read-only. Messages are overdue for 31 s.",
        ),
        (NoAnswer("no answer within 1 s", silent=True), Cause.DISPATCHER_HANGS, "The dispatcher hangs, and messages"),
        (NoAnswer("nothing listens there"), Cause.DISPATCHER_MISSING, "No dispatcher is running, and messages"),
    ],
)
def test_a_living_dispatchers_answer_counts_more_than_its_old_heartbeat_also_if_messages_are_overdue(
    said: Answer | NoAnswer, cause: Cause, begins: str
) -> None:
    beats = (beat(Kind.WEB), beat(Kind.LISTENER), beat(Kind.DISPATCHER, seconds=40))

    found = judge.findings(
        facts(sending(reminder_since=ago(seconds=31)), beats), now=NOW, answers={Kind.DISPATCHER: said}
    )

    assert (found[0].status, found[0].cause) == ("down", cause)
    assert found[0].words.startswith(begins)


def test_a_missing_dispatcher_alone_degrades() -> None:
    found = judge.findings(facts(beats=(beat(Kind.WEB), beat(Kind.LISTENER))), now=NOW)

    assert [finding.status for finding in found] == ["degraded"]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_service_that_was_silent_for_over_fifteen_seconds_is_not_alive(kind: Kind) -> None:
    beats = tuple(beat(each, seconds=16 if each == kind else 2) for each in Kind)

    assert worst(finding.status for finding in judge.findings(facts(beats=beats), now=NOW)) == "degraded"


@pytest.mark.parametrize("kind", list(Kind))
def test_one_of_several_that_has_gone_without_a_goodbye_degrades_for_an_hour(kind: Kind) -> None:
    def found(minutes: float) -> list[Finding]:
        return judge.findings(facts(beats=(*all_alive(), beat(kind, seconds=minutes * 60))), now=NOW)

    assert [(finding.status, finding.cause) for finding in found(1)] == [("degraded", f"{kind}_lost")]
    assert "(on host), 59 min ago" in found(59.9)[0].words
    assert found(60.1) == []


def test_a_process_that_started_after_the_loss_replaces_the_lost_process_and_an_older_process_does_not() -> None:
    lost = [beat(Kind.DISPATCHER, seconds=seconds) for seconds in (120, 300)]
    started = replace(beat(Kind.DISPATCHER), started_at=ago(seconds=100))
    before = beat(Kind.DISPATCHER)

    assert judge.gone([*lost, before], Kind.DISPATCHER, now=NOW) == [lost[1], lost[0]]
    assert len(judge.gone([*lost, before, started], Kind.DISPATCHER, now=NOW)) == 1
    assert judge.gone([lost[0], before, started], Kind.DISPATCHER, now=NOW) == []


def test_a_chain_of_crashes_and_restarts_is_no_loss() -> None:
    first = beat(Kind.WEB, seconds=300)
    second = replace(beat(Kind.WEB, seconds=100), started_at=ago(seconds=290))
    third = replace(beat(Kind.WEB), started_at=ago(seconds=95))

    assert judge.gone([first, second, third], Kind.WEB, now=NOW) == []
    assert judge.gone([first, second], Kind.WEB, now=NOW) == [second]


def test_a_clock_that_is_off_degrades_and_says_what_stopped() -> None:
    beats = (beat(Kind.WEB), beat(Kind.LISTENER), beat(Kind.DISPATCHER, halted="the clock is off by 3 min"))

    found = judge.findings(facts(beats=beats), now=NOW)

    assert found[0].status == "degraded"
    assert "the clock is off by 3 min" in found[0].words


def test_a_mark_older_than_thirty_seconds_degrades() -> None:
    assert verdict(sending(marked_since=ago(seconds=31))) == "degraded"


def test_without_a_bot_health_says_who_connects_a_bot() -> None:
    assert words(sending(has_bot=False)) == "Nothing is sent: no bot is connected. An admin connects one in Settings."


def test_a_practice_bot_without_the_sandbox_is_named_as_such() -> None:
    assert "COMPANION_SANDBOX" in words(of_the_sandbox(sending()))


def test_a_closing_that_is_over_holds_nothing_back() -> None:
    assert verdict(sending(closed_why=Closed.CIRCUIT, closed_until=ago(seconds=1))) == "ok"


def test_the_worst_comes_first() -> None:
    found = judge.findings(facts(sending(reminder_since=ago(minutes=9), marked_since=ago(minutes=2))), now=NOW)

    assert [finding.status for finding in found] == ["down", "degraded"]
