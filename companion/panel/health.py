"""Health: whether sending works, for pages, API and commands. There are three layers; each can replace the earlier:

(1) direct: the dispatcher's own answer; (2) mcp: the Control Panel in the web service; (3) database: heartbeats,
overdue messages, recent Attempts. judge.py has the rules; the facts come from facts.py and direct.py.
"""

import datetime as dt
import threading
import time
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple
from uuid import UUID

from django.db import Error

from companion.clinics.models import Clinic
from companion.panel import facts, judge
from companion.panel.direct import Answer, NoAnswer, ask
from companion.panel.facts import Beat, Facts
from companion.panel.finding import OF_THE_DATABASE, Cause, Finding, Status, worst
from companion.panel.judge import age
from companion.service.clock import database_now, machine_now
from companion.service.models import Kind
from companion.service.outages import Trouble, trouble_of
from companion.service.timeouts import HEALTH_SECONDS, database_within

Source = Literal["direct", "mcp", "database"]
KEPT_FOR: Final = dt.timedelta(seconds=2)
"""The time for which an answer is kept, since all open pages ask for it."""
_MOST_ASKED: Final = 3
_PANEL_SECONDS: Final = 5.0
"""The limit for the Control Panel, which is longer because it asks the dispatchers before it answers."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's status ("ok", "degraded", "down" or "no answer") and the reason."""

    layer: Source
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The result; `source` is the first layer that answered, `detail` the most important sentence for people."""

    status: Status
    source: Source
    checked_at: dt.datetime
    layers: tuple[Layer, ...]
    detail: str = ""
    findings: tuple[Finding, ...] = ()
    """Everything that is wrong, one finding for each cause, the worst first."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The observations of one moment, before they are judged for a clinic."""

    at: dt.datetime
    direct: Answer | NoAnswer
    facts: Facts | None
    """The facts from the database; None if it can't be asked: then `trouble` says why."""
    trouble: Finding | None = None
    listener: Answer | NoAnswer | None = None
    """The listener's answer. It is asked only if its heartbeat is missing."""
    observed_at: float = 0.0
    """The end of the observation, on the monotonic clock."""


_lock = threading.Lock()
_seen: list[_Seen] = []
_addresses: list[str] = []
"""The dispatchers' last known addresses, for an outage of the database, which stores them."""


class _Read(NamedTuple):
    """The moment and the facts, or in `trouble` the reason why there are no facts."""

    at: dt.datetime
    facts: Facts | None
    trouble: Finding | None = None


def check(*, now: dt.datetime, clinic: Clinic | None = None) -> HealthReport:
    """Judge sending, for all clinics or as one clinic's people may see it. Never raises.

    Only the web service calls this, because it is the second layer.
    """
    return _from_within(_observe(now), clinic)


def check_from_outside(*, now: dt.datetime) -> HealthReport:
    """The state of sending, for a command: it asks the Control Panel, which is another process, over HTTP."""
    return _from_without(_observe(now))


def check_now(*, clinic: Clinic | None = None) -> HealthReport:
    """`check` at this moment by the database's clock, or by this machine's if the database can't be asked."""
    return _from_within(_observe(None), clinic)


def check_from_outside_now() -> HealthReport:
    """`check_from_outside` at this moment."""
    return _from_without(_observe(None))


def _from_within(seen: _Seen, clinic: Clinic | None) -> HealthReport:
    found = _findings(seen, clinic.id if clinic else None)
    status, detail = _verdict(found)
    layers = (
        _direct_layer(seen.direct),
        Layer("mcp", status, "Asked within the web service.") if seen.facts else _nothing("mcp", seen),
        _database_layer(seen, status, detail),
    )
    return _report(seen, layers, found)


def _from_without(seen: _Seen) -> HealthReport:
    found = _findings(seen, None)
    status, detail = _verdict(found)
    panel = _ask_first(_urls(seen.facts.beats, Kind.WEB), _PANEL_SECONDS) if seen.facts else NoAnswer(_NO_ADDRESS)
    layers = (_direct_layer(seen.direct), _panel_layer(panel), _database_layer(seen, status, detail))
    return _report(seen, layers, found)


def for_strangers(report: HealthReport) -> HealthReport:
    """Remove the sentences, which are for members: they may name a host, or say what an admin has to do."""
    causes = dict.fromkeys(finding.cause.value for finding in report.findings)
    detail = f"{', '.join(causes)}. {_SIGN_IN}" if causes else ""
    layers = tuple(replace(layer, detail="") for layer in report.layers)
    return replace(report, layers=layers, detail=detail)


def sentence(report: HealthReport, *, now: dt.datetime | None = None) -> str:
    """The banner's sentence: "Sending normally, checked 12 s ago", or what is wrong and who must do what."""
    if report.status != "ok":
        return report.detail
    since = now - report.checked_at if now else dt.timedelta()
    return f"Sending normally, checked {age(since)} ago" if since.total_seconds() >= 1 else _NORMAL


def forget() -> None:
    """Forget the last observation, so that the next check observes again."""
    with _lock:
        _seen.clear()


_NORMAL: Final = "Sending normally, checked just now"
_ASK: Final = "On the server: look into its log."
_SIGN_IN: Final = "Sign in, or send an API key, to read more."
_NO_ADDRESS: Final = "no address is known"


def _observe(now: dt.datetime | None) -> _Seen:
    """Observe at this moment, or (None) now."""
    # The lock makes callers wait for an observation that is running, and then share its result.
    with _lock:
        if _seen and _is_fresh(_seen[0], now):
            return _seen[0]
        at, read, trouble = _read(now)
        if read:
            _addresses[:] = _urls(read.beats, Kind.DISPATCHER)
        silent = read and not any(beat.kind == Kind.LISTENER and judge.alive(beat, now=at) for beat in read.beats)
        listener = _ask_first(_urls(read.beats, Kind.LISTENER), None) if read and silent else None
        seen = _Seen(at, _ask_first(_addresses, None), read, trouble, listener, time.monotonic())
        _seen[:] = [seen]
        return seen


def _is_fresh(seen: _Seen, now: dt.datetime | None) -> bool:
    if now is None:
        return time.monotonic() - seen.observed_at < KEPT_FOR.total_seconds()
    return dt.timedelta() <= now - seen.at < KEPT_FOR


def _read(now: dt.datetime | None) -> _Read:
    try:
        with database_within(HEALTH_SECONDS):
            at = now or database_now()
            return _Read(at, facts.read(now=at))
    except Error as error:
        trouble = trouble_of(error)
        lacking = Finding("down", judge.NOT_MIGRATED, Cause.NOT_MIGRATED)
        return _Read(now or machine_now(), None, judge.no_database(trouble) if trouble else lacking)


def _urls(beats: tuple[Beat, ...], kind: Kind) -> list[str]:
    return [f"{beat.health_url.rstrip('/')}/health" for beat in beats if beat.kind == kind][:_MOST_ASKED]


def _ask_first(urls: list[str], seconds: float | None) -> Answer | NoAnswer:
    """Ask one process after the other, the newest heartbeat first, and return the first answer."""
    answer: Answer | NoAnswer = NoAnswer(_NO_ADDRESS)
    for url in urls:
        answer = ask(url) if seconds is None else ask(url, seconds=seconds)
        if isinstance(answer, Answer):
            return answer
    return answer


def _findings(seen: _Seen, clinic: UUID | None) -> list[Finding]:
    if seen.facts is None:
        return [_clearer(seen.trouble, seen.direct)] if seen.trouble else []
    answers = {Kind.DISPATCHER: seen.direct} | ({Kind.LISTENER: seen.listener} if seen.listener else {})
    return judge.findings(seen.facts.of(clinic), now=seen.at, answers=answers)


def _clearer(ours: Finding, answer: Answer | NoAnswer) -> Finding:
    """Prefer the dispatcher's cause if we only know that the database gives no answer: it has waited for longer."""
    known = judge.cause_of(answer) if isinstance(answer, Answer) else None
    if ours.cause != Cause.DATABASE_GONE or known not in OF_THE_DATABASE:
        return ours
    return judge.no_database(Trouble(known))


class _Verdict(NamedTuple):
    """The worst status of some findings, and a sentence about the first of them."""

    status: Status
    detail: str


def _verdict(found: list[Finding]) -> _Verdict:
    more = f" And {len(found) - 1} more: see the Control Panel." if len(found) > 1 else ""
    return _Verdict(worst(finding.status for finding in found), f"{found[0].words}{more}" if found else "")


def _direct_layer(answer: Answer | NoAnswer) -> Layer:
    if isinstance(answer, NoAnswer):
        return Layer("direct", "no answer", f"No dispatcher answers at its own address: {answer.why}. {_ASK}")
    return Layer("direct", answer.status, answer.detail or "The dispatcher answers at its own address.")


def _panel_layer(answer: Answer | NoAnswer) -> Layer:
    if isinstance(answer, NoAnswer):
        return Layer("mcp", "no answer", f"The Control Panel doesn't answer: {answer.why}. {_ASK}")
    return Layer("mcp", answer.status, answer.detail or "The Control Panel answers.")


def _database_layer(seen: _Seen, status: Status, detail: str) -> Layer:
    if seen.facts is None:
        return _nothing("database", seen)
    return Layer("database", status, detail or "All services are alive, and no message is overdue.")


def _nothing(layer: Source, seen: _Seen) -> Layer:
    return Layer(layer, "no answer", seen.trouble.words if seen.trouble else "")


def _report(seen: _Seen, layers: tuple[Layer, ...], found: list[Finding]) -> HealthReport:
    """Build the report. A layer that gave no answer before another did, or reports a problem, is a finding, too."""
    answered = [layer for layer in layers if layer.status != "no answer"]
    source = answered[0].layer if answered else "database"
    own = [
        Finding("degraded", layer.detail, _NO_ANSWER[layer.layer])
        for layer in layers[: layers.index(answered[0]) if answered else 0]
    ]
    known_words = {finding.words for finding in found}
    own += [
        Finding(_status(layer.status), layer.detail, _cause(layer, seen))
        for layer in answered
        # `found` already holds the database's findings, and the Control Panel's findings that come from the database.
        if layer.status != "ok"
        and layer.detail not in known_words
        and (layer.layer == "direct" or (layer.layer == "mcp" and not found))
    ]
    status = worst(finding.status for finding in [*found, *own])
    # The database's findings say more than the silence of a service.
    _, detail = _verdict(found or sorted(own, key=lambda finding: finding.status != status)[:1])
    return HealthReport(status, source, seen.at, layers, detail, (*found, *own))


_NO_ANSWER: Final[dict[Source, Cause]] = {
    "direct": Cause.DISPATCHER_NO_ANSWER,
    "mcp": Cause.PANEL_NO_ANSWER,
}
_UNWELL: Final[dict[Source, Cause]] = {"direct": Cause.DISPATCHER_UNWELL, "mcp": Cause.PANEL_UNWELL}


def _cause(layer: Layer, seen: _Seen) -> Cause:
    known = judge.cause_of(seen.direct) if layer.layer == "direct" and isinstance(seen.direct, Answer) else None
    return known or _UNWELL[layer.layer]


def _status(reported: str) -> Status:
    return "down" if reported == "down" else "degraded"
