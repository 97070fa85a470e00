"""Read the Journals, and write into the restored database what happened after the copy was taken.

The services that ran when the copy was taken name their Journals in it, and each Journal names the Journals that began
later. If all these Journals are present and complete, nothing else has happened.
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
from companion.service.heartbeat import LIVING
from companion.service.models import Heartbeat, Kind

_BEFORE: Final = dt.timedelta(minutes=10)
"""The time before the copy from which entries are read. An Attempt that began earlier had ended before the copy."""
_SOURCE: Final = {"stop": "journal: STOP", "start": "journal: Start"}
_TEXT_LOST: Final = "(Sent before the database was restored; its words are not kept in the Journal.)"


@dataclass(frozen=True, slots=True)
class Known:
    """The entries of the Journals. `complete` means that nothing else has happened."""

    complete: bool
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Writers:
    """The ids of the Journals that the copy names. An empty id stands for a service that wrote no Journal."""

    named: frozenset[str]
    at_work: frozenset[str]
    """The Journals of the services that were alive when the copy was taken."""


def writers(taken_at: dt.datetime) -> Writers:
    """Return the Journals that the copy's heartbeats name."""
    beats = Heartbeat.objects.filter(kind__in=[Kind.DISPATCHER, Kind.LISTENER])
    journals = [(beat.beat_at, str(beat.state.get("journal") or "")) for beat in beats]
    at_work = frozenset(journal for at, journal in journals if at > taken_at - LIVING)
    return Writers(frozenset(journal for _, journal in journals), at_work)


def read(folders: Sequence[Path], *, writers: Writers, taken_at: dt.datetime) -> Known:
    """Read the Journals in these folders.

    Each entry of any Journal is true. But other things may have happened, too, unless every Journal that the copy or
    another Journal names is present and complete. Besides, the Journal of a service that was at work must
    have entries after the copy: otherwise the folder itself is an old copy, as in a snapshot of the whole machine.
    """
    since = taken_at - _BEFORE
    # If there are two copies of one folder, use the copy that ends later.
    copies = [contents for path in folders if (contents := folder.read(path, since=since))]
    journals = {contents.id: contents for contents in sorted(copies, key=_end)}
    entries = [entry for contents in journals.values() for entry in contents.entries if entry.at >= since]
    needed = writers.named.union(*(entry.folders for entry in entries if isinstance(entry, Peers)))
    complete = bool(writers.named) and all(id in journals and journals[id].whole for id in needed)
    complete = complete and all(_end(journals[id]) >= taken_at for id in writers.at_work)
    return Known(complete, sorted(entries, key=lambda entry: entry.at))


def _end(journal: Contents) -> dt.datetime:
    """Return the instant of a Journal's last entry."""
    return journal.entries[-1].at if journal.entries else dt.datetime.min.replace(tzinfo=dt.UTC)


def replay(known: Known, *, taken_at: dt.datetime) -> set[uuid.UUID]:
    """Write each STOP, each Start and each sent Message of the Journals into the restored database.

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
    """Select the STOPs and Starts that the copy lacks, or may lack.

    A Start from before the copy is left out: the copy may hold a withdrawal that a member noted after that Start.
    """
    heard = [entry for entry in entries if isinstance(entry, Heard)]
    last_before = {(entry.clinic, entry.chat): entry for entry in heard if entry.at < taken_at}
    stops = [entry for entry in last_before.values() if entry.what == "stop"]
    return stops + [entry for entry in heard if entry.at >= taken_at]


def _bring_back(begun: Begun, end: Ended | None) -> set[uuid.UUID]:
    """Write one Attempt into the database. Returns the Messages that may or may not have arrived."""
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
    """Return the Attempt's Message, or the Message that the restored plans have for the same Occurrence."""
    message = Message.objects.filter(pk=begun.message, clinic=begun.clinic).first()
    if message or begun.schedule is None:
        return message
    same = Message.objects.filter(clinic=begun.clinic, schedule=begun.schedule, patient=begun.patient)
    return same.filter(occurrence=begun.occurrence).first()


def _of_that_day(begun: Begun) -> set[uuid.UUID]:
    """Return the patient's planned Messages of the Occurrence's day, if the copy lacks the Occurrence.

    After the copy was taken, somebody changed the series' time or split the series. So the restored plans hold the same
    dose at another time, or in the series before the split. If the copy lacks the series, all series count.
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
