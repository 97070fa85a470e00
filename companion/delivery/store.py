"""The statements of the hot path as typed functions, one function for each statement.

The statements are in statements/. They select facts and write results. verdict.py decides, and only lifecycle.py calls
the functions that change a status. All functions run in the caller's transaction.

Rows come out as structs, by the names of the columns. Lists of structs go in as JSON, by the names of the fields.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from companion.delivery import statements
from companion.delivery.facts import Facts, Lapsed
from companion.schedules import sql
from companion.schedules.models import AttemptOutcome, Lane, Status
from companion.schedules.reasons import Reason

_STATEMENTS: Final = statements.for_this_database()
_FACTS: Final = msgspec.json.Decoder(list[Facts])
_LAPSED: Final = msgspec.json.Decoder(list[Lapsed])


class Position(NamedTuple):
    """A position in a lane: at the Message with this id, which is ready at this instant."""

    ready_at: dt.datetime
    id: uuid.UUID


Positions = dict[int, Position]
"""The position in each lane up to which a runner has worked. A lane without a position is read from its beginning."""
_BEGINNING: Final = Position(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), uuid.UUID(int=0))


class LockedBot(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A bot's next free slot (None if any is free), the time until which it is closed (None if it is open), and why."""

    next_slot_at: dt.datetime | None
    closed_until: dt.datetime | None
    closed_why: str


class Found(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The id of a Message that a statement has found."""

    id: uuid.UUID


class NextReady(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The instant at which the next Message is ready; None if there is no Message."""

    ready_at: dt.datetime | None


class NextPending(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The instant at which a Schedule's next pending Message is due; None if it has no such Message."""

    schedule: uuid.UUID
    due_at: dt.datetime | None


class OccurrenceOf(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An Occurrence for one patient, of which there is at most one Message."""

    schedule: uuid.UUID
    patient: uuid.UUID
    occurrence: str


class Begin(msgspec.Struct, frozen=True, gc=False):
    """An Attempt to be written down: its Message, its slot, its chat, and its text (sealed, hexadecimal)."""

    message: uuid.UUID
    attempt: uuid.UUID
    began_at: dt.datetime
    text: str
    chat: int


class Later(msgspec.Struct, frozen=True, gc=False):
    """A Message that may not go before `ready_at`. `late_at`, if given, is when it becomes too late. Both in UTC."""

    message: uuid.UUID
    ready_at: dt.datetime
    late_at: dt.datetime | None = None


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The end of an Attempt. `status` is the Message's next status. If pending, it is tried again at `ready_at`."""

    message: uuid.UUID
    attempt: uuid.UUID
    at: dt.datetime
    outcome: AttemptOutcome
    status: Status
    reason: Reason | None = None
    ready_at: dt.datetime | None = None
    telegram_message_id: int | None = None
    error_code: int | None = None
    note: str = ""
    description: str | None = None
    """Telegram's words: sealed, hexadecimal."""
    answer_by: dt.datetime | None = None
    """The instant until which the clinic waits for an answer."""


class Recorded(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The result of `record`: how many Messages changed, and whether a webhook wants to hear of Messages' ends."""

    changed: int
    heard: bool


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A Message that ends without being sent."""

    message: uuid.UUID
    reason: Reason
    status: Status


class EndedAt(msgspec.Struct, frozen=True, gc=False):
    """A Message and the instant at which it may have ended, in UTC."""

    message: uuid.UUID
    at: dt.datetime


class Marked(msgspec.Struct, frozen=True, gc=False):
    """A mark for the patient of a Message: what Telegram said about the chat. "" clears the mark."""

    message: uuid.UUID
    trouble: str
    at: dt.datetime


class Planned(msgspec.Struct, frozen=True, gc=False):
    """A Message to be made, all instants in UTC."""

    id: uuid.UUID
    patient: uuid.UUID
    occurrence: str
    due_at: dt.datetime
    late_at: dt.datetime


class Shifted(msgspec.Struct, frozen=True, gc=False):
    """New instants of a planned Message, in UTC."""

    id: uuid.UUID
    due_at: dt.datetime
    late_at: dt.datetime


class Renamed(msgspec.Struct, frozen=True, gc=False):
    """A new name of an Occurrence."""

    old: str
    new: str


def lock_bot(bot: uuid.UUID) -> LockedBot | None:
    """Lock the bot's row and return it; None if the bot was deleted."""
    rows = sql.read(_STATEMENTS["lock_bot"], LockedBot, bot=bot)
    return rows[0] if rows else None


def take_slots(bot: uuid.UUID, *, next_slot: dt.datetime) -> None:
    """Take the bot's slots before `next_slot`."""
    sql.change(_STATEMENTS["take_slots"], bot=bot, next_slot=next_slot)


def next_in_line(clinic: uuid.UUID, positions: Positions, most: int, *, now: dt.datetime) -> list[uuid.UUID]:
    """Lock the first ready Messages that are not begun, from these positions on, at most `most`. Return their ids."""
    starts = {lane: positions.get(lane, _BEGINNING) for lane in Lane.values}
    ready_at = {f"ready_at_{lane}": position.ready_at for lane, position in starts.items()}
    ids = {f"id_{lane}": position.id for lane, position in starts.items()}
    rows = sql.read(_STATEMENTS["next_in_line"], Found, clinic=clinic, now=now, most=most, **ready_at, **ids)
    return [row.id for row in rows]


def begun_by(attempts: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """Lock the Messages that these Attempts have put on the wire. Return their ids."""
    return [row.id for row in sql.read(_STATEMENTS["begun_by"], Found, rows=[Found(id) for id in attempts])]


def too_late(most: int, *, now: dt.datetime) -> list[uuid.UUID]:
    """Lock the first Messages, at most `most`, that are not begun and too late. Return their ids."""
    return [row.id for row in sql.read(_STATEMENTS["too_late"], Found, most=most, now=now)]


def facts(messages: Sequence[uuid.UUID], *, now: dt.datetime) -> list[Facts]:
    """Return the facts about these Messages, in the order in which Messages go."""
    if not messages:
        return []
    rows = sql.read_json(_STATEMENTS["facts"], _FACTS, rows=[Found(id) for id in messages], now=now)
    return sorted(rows, key=lambda facts: (facts.lane, facts.ready_at, facts.message))


def next_ready(clinic: uuid.UUID) -> dt.datetime | None:
    """Return the instant at which the clinic's first Message that is not begun is ready; None without a Message."""
    [row] = sql.read(_STATEMENTS["next_ready"], NextReady, clinic=clinic)
    return row.ready_at


def begin(begins: Sequence[Begin], bot: uuid.UUID, *, next_slot: dt.datetime, lease_until: dt.datetime) -> None:
    """Write Attempts down, put their Messages on the wire, and take the bot's slots before `next_slot`.

    This has to be committed before anything is sent.
    """
    sql.change(_STATEMENTS["begin"], rows=begins, bot=bot, next_slot=next_slot, lease_until=lease_until)


def begin_later(attempt: uuid.UUID, *, slot: dt.datetime) -> None:
    """Give an open Attempt another slot."""
    sql.change(_STATEMENTS["begin_later"], attempt=attempt, slot=slot)


def put_off(laters: Sequence[Later]) -> None:
    """Make Messages that are not begun ready later."""
    sql.change(_STATEMENTS["put_off"], rows=laters)


def lapsed(*, now: dt.datetime) -> list[Lapsed]:
    """Return the Attempts whose lease ran out.

    Their order is the same in all dispatchers: each changes these rows, and another order could cause a deadlock.
    """
    rows = sql.read_json(_STATEMENTS["lapsed"], _LAPSED, now=now)
    return sorted(rows, key=lambda lapsed: lapsed.message)


def mark_patients(marks: Sequence[Marked]) -> None:
    """Write down what Telegram said about patients' chats."""
    sql.change(_STATEMENTS["mark_patients"], rows=marks)


def record(records: Sequence[Record]) -> Recorded:
    """Close Attempts, and end their Messages or give them back."""
    [recorded] = sql.read(_STATEMENTS["record"], Recorded, rows=records)
    return recorded


def late_proof(records: Sequence[Record]) -> None:
    """End as sent the Messages whose Attempt counted as unknown before Telegram's answer came."""
    sql.change(_STATEMENTS["late_proof"], rows=records)


def end(ends: Sequence[Ended], *, now: dt.datetime) -> None:
    """Fail or cancel Messages that are not begun."""
    sql.change(_STATEMENTS["end"], rows=ends, now=now)


def tell_ends(ends: Sequence[EndedAt]) -> None:
    """Note for the clinics' webhooks the Messages that were sent or failed at these instants."""
    sql.change(_STATEMENTS["tell_ends"], rows=ends)


def plan(schedule: uuid.UUID, version: uuid.UUID, plans: Sequence[Planned], *, now: dt.datetime) -> int:
    """Make the Messages that don't exist yet. Return how many were made."""
    if not plans:
        return 0
    return sql.change(_STATEMENTS["plan"], rows=plans, schedule=schedule, version=version, now=now)


def shift(schedule: uuid.UUID, version: uuid.UUID, shifts: Sequence[Shifted]) -> int:
    """Move planned Messages whose times no person has chosen, and give them this version. Return how many moved."""
    if not shifts:
        return 0
    return sql.change(_STATEMENTS["shift"], rows=shifts, schedule=schedule, version=version)


def rename(old: uuid.UUID, new: uuid.UUID, names: Mapping[str, str]) -> int:
    """Give Messages of the Schedule `old` the names that their Occurrences have in `new`. Return how many."""
    if not names:
        return 0
    renamed = [Renamed(before, after) for before, after in names.items()]
    return sql.change(_STATEMENTS["rename"], rows=renamed, old=old, new=new)


def pending_instants(after: Mapping[uuid.UUID, dt.datetime]) -> dict[uuid.UUID, dt.datetime]:
    """Return, for each Schedule, the first instant (UTC) after the given instant at which a Message is pending.

    Schedules without such a Message are left out.
    """
    if not after:
        return {}
    rows_in = [NextPending(schedule, at) for schedule, at in after.items()]
    rows = sql.read(_STATEMENTS["pending_instants"], NextPending, rows=rows_in)
    return {row.schedule: row.due_at for row in rows if row.due_at}


def made(occurrences: Sequence[OccurrenceOf]) -> set[OccurrenceOf]:
    """Return the Occurrences among these that have a Message, with any status."""
    if not occurrences:
        return set()
    return set(sql.read(_STATEMENTS["made"], OccurrenceOf, rows=occurrences))
