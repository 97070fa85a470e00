"""The rules of health as pure functions, from facts to findings with sentences for people.

A finding says what happened and who must do what. It names no clinic, no patient and no text.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from companion.clinics.models import Closed, OtherReader
from companion.panel.direct import Answer, NoAnswer
from companion.panel.facts import ALIVE_FOR, Beat, Facts, Sending
from companion.panel.finding import Cause, Finding, worst_first
from companion.schedules.queries import OVERDUE_AFTER
from companion.service import drill
from companion.service.models import Kind
from companion.service.outages import Trouble

STUCK: Final = dt.timedelta(minutes=5)
MARK_TOO_OLD: Final = dt.timedelta(seconds=30)
LOSS_REPORTED: Final = dt.timedelta(hours=1)
"""The time for which a lost service is reported, unless an admin acknowledges it earlier."""

NOT_MIGRATED: Final = (
    "The database lacks tables, so nothing is planned or sent. On the server: run `companion migrate`."
)


_NOT_RUNNING: Final = {
    Kind.DISPATCHER: (
        Cause.DISPATCHER_MISSING,
        "The dispatcher is not running: messages wait and may become too late.",
    ),
    Kind.LISTENER: (
        Cause.LISTENER_MISSING,
        "The listener is not running: replies, STOP and enrolments are not read.",
    ),
    Kind.WEB: (Cause.WEB_MISSING, "The web service gives no sign of life."),
}
_HANGS: Final = {
    Kind.DISPATCHER: (
        Cause.DISPATCHER_HANGS,
        "The dispatcher hangs: its process exists but gives no answer. Messages wait and may become too late.",
    ),
    Kind.LISTENER: (
        Cause.LISTENER_HANGS,
        "The listener hangs: its process exists but gives no answer. Replies, STOP and enrolments are not read.",
    ),
}
_UNWELL: Final = {Kind.DISPATCHER: Cause.DISPATCHER_UNWELL, Kind.LISTENER: Cause.LISTENER_UNWELL}
LOST: Final = {
    Kind.DISPATCHER: (Cause.DISPATCHER_LOST, "dispatcher"),
    Kind.LISTENER: (Cause.LISTENER_LOST, "listener"),
    Kind.WEB: (Cause.WEB_LOST, "web service"),
}
"""The cause if one service of a kind is lost while others run, and the name of the kind."""
_OTHER_READER: Final = {
    OtherReader.PROGRAM: (
        "Another program reads this bot's messages: patients' STOPs and replies may be lost. On the server: "
        "end it (a second listener, or another program with the bot's token). If nobody knows it, an admin gets a new "
        "token from @BotFather and enters it in Settings."
    ),
    OtherReader.WEBHOOK: (
        "A webhook receives this bot's messages: patients' STOPs and replies may be lost. The person who set it "
        "removes it (the Bot API's deleteWebhook), or an admin connects another bot in Settings."
    ),
}
_START: Final = "On the server: start it again (`companion up` starts all) and look into its log."


def alive(beat: Beat, *, now: dt.datetime) -> bool:
    """Return whether the process gave a heartbeat within 15 s."""
    return now - beat.beat_at <= ALIVE_FOR


def gone(beats: Iterable[Beat], kind: Kind, *, now: dt.datetime) -> list[Beat]:
    """The processes of this kind that ended without a clean stop, and that no later process has replaced.

    A clean stop removes the heartbeat. A process that starts after another's last heartbeat replaces it.
    """
    own = [beat for beat in beats if beat.kind == kind]
    starts = sorted(beat.started_at for beat in own)
    lost = []
    for beat in sorted(own, key=lambda beat: beat.beat_at):
        if alive(beat, now=now):
            continue
        replaced = next((at for at in starts if at > beat.beat_at), None)
        if replaced is None:
            lost.append(beat)
        else:
            starts.remove(replaced)
    return lost


def no_database(trouble: Trouble) -> Finding:
    """The finding while the database can't be asked."""
    clause = trouble.clause
    words = f"{clause[0].upper()}{clause[1:]}, so nothing is planned or sent. On the server: {trouble.advice}"
    return Finding("down", words, Cause(trouble))


def lost_of(beats: Iterable[Beat], kind: Kind, *, now: dt.datetime) -> list[Beat]:
    """The processes of this kind that ended without a clean stop, and are still reported."""
    return [beat for beat in gone(beats, kind, now=now) if now - beat.beat_at <= LOSS_REPORTED]


def findings(
    facts: Facts, *, now: dt.datetime, answers: Mapping[Kind, Answer | NoAnswer] | None = None
) -> list[Finding]:
    """All findings, the worst first. `answers`: the services' own answers, which count more than old heartbeats."""
    if facts.drill:
        # Nothing is sent in a drill, so nothing is late.
        return [Finding("degraded", drill.WORDS, Cause.DRILL), *_of_services(facts, now, answers or {})]
    dispatcher = (answers or {}).get(Kind.DISPATCHER)
    return worst_first(
        [*_of_services(facts, now, answers or {}), *_of_clinics(facts, now, dispatcher), *_of_clocks(facts, now)]
    )


def overdue_since(clinic: Sending, *, now: dt.datetime) -> dt.datetime | None:
    """The instant at which the oldest overdue message was ready; None if no message is overdue.

    While the bot is sending, messages that wait for its rate don't count, except for reminders.
    """
    sending = clinic.attempted_at is not None and now - clinic.attempted_at < OVERDUE_AFTER
    waiting = [clinic.reminder_since, None if sending else clinic.other_since]
    since = min((at for at in waiting if at is not None), default=None)
    return since if since is not None and now - since >= OVERDUE_AFTER else None


def age(length: dt.timedelta) -> str:
    """Write a length of time in one unit, like "12 s", "6 min", "3 h" or "2 days"."""
    seconds = max(int(length.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"


def _of_services(facts: Facts, now: dt.datetime, answers: Mapping[Kind, Answer | NoAnswer]) -> Iterator[Finding]:
    for kind in (Kind.DISPATCHER, Kind.LISTENER, Kind.WEB):
        own = [beat for beat in facts.beats if beat.kind == kind]
        living = [beat for beat in own if alive(beat, now=now)]
        if not living and (heard := _heard(kind, answers.get(kind))):
            yield heard
        elif not living:
            last = f" Its last sign of life was {age(now - own[0].beat_at)} ago." if own else ""
            cause, words = _NOT_RUNNING[kind]
            yield Finding("degraded", f"{words}{last} {_START}", cause)
        elif lost := lost_of(own, kind, now=now):
            yield _lost(kind, lost, now)


def _heard(kind: Kind, answer: Answer | NoAnswer | None) -> Finding | None:
    """Report the answer of a service without a fresh heartbeat, or that it hangs; None if no process answers."""
    if kind not in _HANGS or answer is None:
        return None
    if isinstance(answer, Answer):
        words = answer.detail or f"The {kind.value} runs, but its heartbeat doesn't reach the database."
        return Finding("degraded", words, cause_of(answer) or _UNWELL[kind])
    if not answer.silent:
        return None
    cause, words = _HANGS[kind]
    return Finding("degraded", f"{words} {_START}", cause)


def cause_of(answer: Answer) -> Cause | None:
    """The cause that a service reports, if it is one of ours."""
    return Cause(answer.cause) if answer.cause in list(Cause) else None


def _lost(kind: Kind, lost: list[Beat], now: dt.datetime) -> Finding:
    cause, name = LOST[kind]
    hosts = ", ".join(sorted({beat.host for beat in lost}))
    since = age(now - lost[-1].beat_at)
    who = f"A {name} has" if len(lost) == 1 else f"{len(lost)} {name}s have"
    words = (
        f"{who} ended without a clean stop (on {hosts}), {since} ago; others of this kind still run. On the server: "
        f"start it again and look into its log, or an admin acknowledges the loss under Control Panel, Alerts."
    )
    return Finding("degraded", words, cause)


def _of_clinics(facts: Facts, now: dt.datetime, answer: Answer | NoAnswer | None) -> Iterator[Finding]:
    dispatched = any(beat.kind == Kind.DISPATCHER and alive(beat, now=now) for beat in facts.beats)
    for clinic in facts.clinics:
        since = overdue_since(clinic, now=now)
        reason = _held_back(clinic, now)
        if since and not dispatched:
            yield _unsent(answer, age(now - since))
        elif reason:
            yield reason
        elif since:
            yield _late(clinic, since, now)
        if clinic.has_bot and clinic.other_reader:
            yield Finding("degraded", _OTHER_READER[OtherReader(clinic.other_reader)], Cause.OTHER_READER)
        if clinic.marked_since and now - clinic.marked_since > MARK_TOO_OLD:
            yield Finding(
                "degraded",
                f"A change of plans has been waiting for {age(now - clinic.marked_since)}. Messages that it "
                f"may change are not sent until then. On the server: look into the dispatcher's log.",
                Cause.PLANS_WAIT,
            )


def _of_clocks(facts: Facts, now: dt.datetime) -> Iterator[Finding]:
    """Find a dispatcher that doesn't trust its clock. Without a bot it has nothing to compare its clock with."""
    if not any(clinic.has_bot for clinic in facts.clinics):
        return
    for beat in facts.beats:
        halted = beat.state.get("halted")
        if isinstance(halted, str) and halted and alive(beat, now=now):
            words = f"The dispatcher on {beat.host} sends nothing for now: {_sentence(halted)}"
            yield Finding("degraded", words, Cause.CLOCK_OFF)


def _held_back(clinic: Sending, now: dt.datetime) -> Finding | None:
    """The known reason why this clinic's messages wait; None if nothing holds them back."""
    if clinic.bot_of_other_mode:
        words = (
            "Nothing is sent: the connected bot doesn't fit COMPANION_SANDBOX (a practice bot sends only if it is 1, a "
            "real bot only if it is not). The operator of the server corrects it."
        )
        return Finding("degraded", words, Cause.BOT_OF_OTHER_MODE)
    if not clinic.has_bot:
        words = "Nothing is sent: no bot is connected. An admin connects one in Settings."
        return Finding("degraded", words, Cause.NO_BOT)
    if clinic.restored:
        words = (
            "Sending is paused since the database was restored, so that no message goes out twice. An admin decides in "
            "the Control Panel about messages that may have been sent before, then resumes sending."
        )
        return Finding("degraded", words, Cause.RESTORED)
    if clinic.paused:
        words = "Sending is paused: messages wait and may become too late. An admin resumes it."
        return Finding("degraded", words, Cause.PAUSED)
    if clinic.closed_why == Closed.UNAUTHORIZED:
        words = "Telegram refuses the bot's token: messages wait. An admin enters the token again in Settings."
        return Finding("degraded", words, Cause.BOT_REFUSED)
    if clinic.closed_why == Closed.HANGING:
        words = "Telegram accepts messages and doesn't answer. New messages wait, and are sent once it answers again."
        return Finding("degraded", words, Cause.TELEGRAM_AWAY)
    if clinic.closed_why == Closed.CIRCUIT and clinic.closed_until and clinic.closed_until > now:
        words = (
            "Telegram can't be reached: messages wait and are tried again by themselves. "
            "On the server: check that it reaches the internet."
        )
        return Finding("degraded", words, Cause.TELEGRAM_AWAY)
    return None


def _unsent(answer: Answer | NoAnswer | None, late: str) -> Finding:
    """The finding if messages are overdue and no dispatcher has a fresh heartbeat. `answer`: a dispatcher's answer."""
    if isinstance(answer, Answer) and answer.detail:
        words = f"{answer.detail} Messages are overdue for {late}."
        return Finding("down", words, cause_of(answer) or _UNWELL[Kind.DISPATCHER])
    if isinstance(answer, NoAnswer) and answer.silent:
        return Finding(
            "down", f"The dispatcher hangs, and messages are overdue for {late}. {_START}", Cause.DISPATCHER_HANGS
        )
    words = f"No dispatcher is running, and messages are overdue for {late}. {_START}"
    return Finding("down", words, Cause.DISPATCHER_MISSING)


def _late(clinic: Sending, since: dt.datetime, now: dt.datetime) -> Finding:
    late = age(now - since)
    tried = clinic.attempted_at is not None and clinic.attempted_at > since
    if now - since >= STUCK and not tried:
        return Finding(
            "down",
            f"Messages are overdue for {late} and no attempt was made since. On the server: start the dispatcher "
            f"again; `companion doctor` shows what is wrong.",
            Cause.OVERDUE,
        )
    return Finding(
        "degraded",
        f"Messages are sent late: the oldest is overdue for {late}. "
        f"On the server: `companion doctor` shows what is wrong.",
        Cause.OVERDUE,
    )


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."
