"""Reads the Journals, and writes what happened after the copy was taken into the restored database.

The services that ran when the copy was taken name their Journals, and each Journal names the Journals that began later.
Only if all of these Journals are there and whole can nothing else have happened.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from companion.clinics.models import Clinic
from companion.delivery import lifecycle
from companion.journal import folder
from companion.journal.entries import Begun, Ended, Entry, Heard, Peers
from companion.journal.folder import Contents
from companion.patients import consent
from companion.schedules.models import Attempt, AttemptOutcome, Message, Schedule
from companion.service.models import Heartbeat, Kind

_BEFORE: Final = dt.timedelta(minutes=10)
"""The time before the copy from which entries are read: an Attempt begun earlier had ended when the copy was taken."""
_ALIVE: Final = dt.timedelta(minutes=1)
"""The longest time from the last Heartbeat of a service that was alive to the copy."""
_SOURCE: Final = {"stop": "journal: STOP", "start": "journal: Start"}
_TEXT_LOST: Final = "(Sent before the database was restored; its words are not kept in the Journal.)"


@dataclass(frozen=True, slots=True)
class Known:
    """The entries of the Journals. `complete`: nothing else has happened."""

    complete: bool
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Writers:
    """The ids of the Journals that the copy names; an empty id stands for a service that kept none."""

    named: frozenset[str]
    at_work: frozenset[str]
    """The Journals of the services that were alive when the copy was taken."""


def writers(taken_at: dt.datetime) -> Writers:
    """The writers that the copy's heartbeats name."""
    beats = Heartbeat.objects.filter(kind__in=[Kind.DISPATCHER, Kind.LISTENER])
    found = [(beat.beat_at, str(beat.state.get("journal") or "")) for beat in beats]
    at_work = frozenset(journal for at, journal in found if at > taken_at - _ALIVE)
    return Writers(frozenset(journal for _, journal in found), at_work)


def read(folders: Sequence[Path], *, writers: Writers, taken_at: dt.datetime) -> Known:
    """Reads the Journals in these folders.

    Each entry is true, whichever Journal it stands in. What no entry tells of has not happened only if every Journal
    that the copy or another Journal names is there and whole. A Journal of a service that was at work must also go on
    after the copy: otherwise the folder itself is an old copy, as in a snapshot of the whole machine.
    """
    since = taken_at - _BEFORE
    # Of two copies of one folder, the copy that ends later replaces the other.
    found = [contents for path in folders if (contents := folder.read(path, since=since))]
    there = {contents.id: contents for contents in sorted(found, key=_end)}
    entries = [entry for contents in there.values() for entry in contents.entries if entry.at >= since]
    wanted = writers.named.union(*(entry.folders for entry in entries if isinstance(entry, Peers)))
    complete = bool(writers.named) and all(one in there and there[one].whole for one in wanted)
    complete = complete and all(_end(there[one]) >= taken_at for one in writers.at_work)
    return Known(complete, sorted(entries, key=lambda entry: entry.at))


def _end(journal: Contents) -> dt.datetime:
    """The instant of a Journal's last entry."""
    return journal.entries[-1].at if journal.entries else dt.datetime.min.replace(tzinfo=dt.UTC)


def replay(known: Known, *, taken_at: dt.datetime) -> set[uuid.UUID]:
    """Writes each STOP, each Start and each sent Message of the Journals into the restored database.

    Returns the Messages that may or may not have arrived. Needs a transaction.
    """
    for word in _heard(known.entries, taken_at):
        if clinic := Clinic.objects.filter(pk=word.clinic).first():
            act = consent.withdraw if word.what == "stop" else consent.restore
            act(clinic, word.chat, source=_SOURCE[word.what], now=word.at)
    ends: dict[uuid.UUID, Ended] = {}
    for entry in known.entries:
        if isinstance(entry, Ended) and (entry.attempt not in ends or entry.outcome == AttemptOutcome.SENT):
            ends[entry.attempt] = entry
    begins = {entry.attempt: entry for entry in known.entries if isinstance(entry, Begun)}
    return set().union(*(_bring_back(begun, ends.get(begun.attempt)) for begun in begins.values()))


def _heard(entries: Sequence[Entry], taken_at: dt.datetime) -> list[Heard]:
    """The STOPs and Starts that the copy lacks, or may lack.

    A Start from before the copy is left out: the copy may hold a withdrawal that a member noted after that Start.
    """
    heard = [entry for entry in entries if isinstance(entry, Heard)]
    last_before = {(entry.clinic, entry.chat): entry for entry in heard if entry.at < taken_at}
    stops = [entry for entry in last_before.values() if entry.what == "stop"]
    return stops + [entry for entry in heard if entry.at >= taken_at]


def _bring_back(begun: Begun, end: Ended | None) -> set[uuid.UUID]:
    """Writes one Attempt into the database. Returns the Messages that may or may not have arrived."""
    attempt = Attempt.objects.filter(pk=begun.attempt).first()
    if attempt and attempt.outcome not in (AttemptOutcome.OPEN, AttemptOutcome.UNKNOWN):
        return set()
    if end is not None and end.outcome not in (AttemptOutcome.SENT, AttemptOutcome.UNKNOWN):
        return set()
    message = _message_of(begun)
    if message is None:
        return _of_that_day(begun)
    if end is None or end.outcome == AttemptOutcome.UNKNOWN:
        return {message.pk}
    lifecycle.bring_back(message, begun.attempt, _attempt(begun, end), at=end.at)
    return set()


def _message_of(begun: Begun) -> Message | None:
    """The Message, or the Message that the restored plans have for the same Occurrence."""
    if (found := Message.objects.filter(pk=begun.message, clinic=begun.clinic).first()) or begun.schedule is None:
        return found
    same = Message.objects.filter(clinic=begun.clinic, schedule=begun.schedule, patient=begun.patient)
    return same.filter(occurrence=begun.occurrence).first()


def _of_that_day(begun: Begun) -> set[uuid.UUID]:
    """The patient's planned Messages of the day of an Occurrence that the copy doesn't have.

    Somebody changed the series' time after the copy was taken, or split the series. So the restored plans hold the
    same dose at another time, or in the series before the split. If the copy lacks the series, all series count.
    """
    if begun.schedule is None:
        return set()
    day = begun.occurrence.partition("T")[0]
    planned = Message.objects.filter(clinic=begun.clinic, patient=begun.patient, occurrence__startswith=day)
    if Schedule.objects.filter(pk=begun.schedule).exists():
        planned = planned.filter(schedule=begun.schedule)
    return set(planned.filter(lifecycle.ONLY_PLANNED, schedule__isnull=False).values_list("pk", flat=True))


def _attempt(begun: Begun, end: Ended) -> dict[str, object]:
    return {
        "began_at": begun.at,
        "ended_at": end.at,
        "outcome": AttemptOutcome.SENT,
        "text": _TEXT_LOST,
        "telegram_id": begun.chat,
        "telegram_message_id": end.telegram_message_id,
    }
