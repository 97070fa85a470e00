"""The hot path's statements as typed functions, one each: what goes in, what comes out.

The statements stand whole in statements/. They select facts and write results; verdict.py decides, and lifecycle.py
alone calls what changes a status. All run inside the caller's transaction.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from companion.delivery.facts import Facts, Lapsed
from companion.delivery.statements import statement
from companion.schedules import sql
from companion.schedules.models import AttemptOutcome, Lane, Status
from companion.schedules.reasons import Reason

_FACTS: Final = msgspec.json.Decoder(list[Facts])
_LAPSED: Final = msgspec.json.Decoder(list[Lapsed])


class Place(NamedTuple):
    """Where somebody stands in a lane's line."""

    ready_at: dt.datetime
    id: uuid.UUID


Places = dict[int, Place]
"""By lane, the place before which all was dealt with a moment ago. No place: the lane's beginning."""
_BEGINNING: Final = Place(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), uuid.UUID(int=0))


class BotState(NamedTuple):
    """A bot's next free slot (None: any), until when it is closed (None: it is not), and why."""

    next_slot_at: dt.datetime | None
    closed_until: dt.datetime | None
    closed_why: str


class Begin(msgspec.Struct, frozen=True, gc=False):
    """An Attempt to be written down: who, when, and the text that leaves (sealed, hexadecimal)."""

    message: uuid.UUID
    attempt: uuid.UUID
    began_at: dt.datetime
    text: str
    chat: int


class Later(msgspec.Struct, frozen=True, gc=False):
    """A Message that may not go before `ready_at`. Where `late_at` is given, it is too late from then on. Both UTC."""

    message: uuid.UUID
    ready_at: dt.datetime
    late_at: dt.datetime | None = None


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The end of an Attempt. `status` is the Message's next one; pending: it is tried again from `ready_at`."""

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
    """Until when an answer to what was sent is waited for."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A Message that ends without being sent."""

    message: uuid.UUID
    reason: Reason
    status: Status


class Marked(msgspec.Struct, frozen=True, gc=False):
    """A mark for the patient of a Message: what Telegram said of the chat ("" clears the mark)."""

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


def lock_bot(bot: uuid.UUID) -> BotState | None:
    """The bot's state, locked; None where the bot was taken away."""
    found = _rows("lock_bot", bot=sql.key(bot))
    if not found:
        return None
    next_slot_at, closed_until, closed_why = found[0]
    return BotState(
        sql.as_instant(next_slot_at) if next_slot_at else None,
        sql.as_instant(closed_until) if closed_until else None,
        str(closed_why),
    )


def take_slots(bot: uuid.UUID, *, next_slot: dt.datetime) -> None:
    """Takes the bot's slots before `next_slot`."""
    _change("take_slots", bot=sql.key(bot), next_slot=sql.instant(next_slot))


def next_in_line(clinic: uuid.UUID, places: Places, most: int, *, now: dt.datetime) -> list[uuid.UUID]:
    """The first Messages, at most `most`, that are ready and that nobody has begun, from these places on; locked."""
    places_in = {lane: places.get(lane, _BEGINNING) for lane in Lane.values}
    found = _rows(
        "next_in_line",
        clinic=sql.key(clinic),
        now=sql.instant(now),
        most=most,
        **{f"ready_at_{lane}": sql.instant(place.ready_at) for lane, place in places_in.items()},
        **{f"id_{lane}": sql.key(place.id) for lane, place in places_in.items()},
    )
    return [sql.as_uuid(row[0]) for row in found]


def begun_by(attempts: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """The Messages that these Attempts have put on the wire, locked."""
    return [sql.as_uuid(row[0]) for row in _rows("begun_by", rows=_ids(attempts))]


def too_late(most: int, *, now: dt.datetime) -> list[uuid.UUID]:
    """The first Messages, at most `most`, whose time is over and that nobody has begun; locked."""
    return [sql.as_uuid(row[0]) for row in _rows("too_late", most=most, now=sql.instant(now))]


def facts(messages: Sequence[uuid.UUID], *, now: dt.datetime) -> list[Facts]:
    """The facts about these Messages, in the order in which Messages go."""
    if not messages:
        return []
    ((found,),) = _rows("facts", rows=_ids(messages), now=sql.instant(now))
    return sorted(_FACTS.decode(str(found)), key=lambda one: (one.lane, one.ready_at, one.message))


def next_ready(clinic: uuid.UUID) -> dt.datetime | None:
    """When the first Message of this clinic that nobody has begun is ready; None: there is none."""
    ((found,),) = _rows("next_ready", clinic=sql.key(clinic))
    return None if found is None else sql.as_instant(found)


def begin(begins: Sequence[Begin], bot: uuid.UUID, *, next_slot: dt.datetime, lease_until: dt.datetime) -> None:
    """Writes Attempts down, puts their Messages on the wire and takes the bot's slots before `next_slot`.

    Must be committed before anything is sent.
    """
    if begins:
        _change(
            "begin",
            rows=sql.rows(begins),
            bot=sql.key(bot),
            next_slot=sql.instant(next_slot),
            lease_until=sql.instant(lease_until),
        )


def begin_later(attempt: uuid.UUID, *, slot: dt.datetime) -> None:
    """Gives an open Attempt another slot."""
    _change("begin_later", attempt=sql.key(attempt), slot=sql.instant(slot))


def put_off(laters: Sequence[Later]) -> None:
    """Moves Messages that nobody has begun back in the line."""
    if laters:
        _change("put_off", rows=sql.rows(laters))


def lapsed(*, now: dt.datetime) -> list[Lapsed]:
    """The Attempts whose lease ran out, in one order for all who look, since each of them locks what it finds."""
    ((found,),) = _rows("lapsed", now=sql.instant(now))
    return sorted(_LAPSED.decode(str(found)), key=lambda one: one.message)


def mark_patients(marks: Sequence[Marked]) -> None:
    """Notes what Telegram said of patients' chats."""
    if marks:
        _change("mark_patients", rows=sql.rows(marks))


def record(records: Sequence[Record]) -> int:
    """Closes Attempts and ends their Messages, or gives them back. Returns how many Messages that changed."""
    return _change("record", rows=sql.rows(records))


def late_proof(records: Sequence[Record]) -> None:
    """Ends as sent the Messages whose Attempt was thought unknown before Telegram's yes came."""
    _change("late_proof", rows=sql.rows(records))


def end(ends: Sequence[Ended], *, now: dt.datetime) -> None:
    """Fails or cancels Messages that nobody has begun."""
    if ends:
        _change("end", rows=sql.rows(ends), now=sql.instant(now))


def plan(schedule: uuid.UUID, version: uuid.UUID, plans: Sequence[Planned], *, now: dt.datetime) -> int:
    """Makes the Messages that don't exist yet. Returns how many those were."""
    if not plans:
        return 0
    ids = {"schedule": sql.key(schedule), "version": sql.key(version)}
    return _change("plan", rows=sql.rows(plans), now=sql.instant(now), **ids)


def shift(schedule: uuid.UUID, version: uuid.UUID, shifts: Sequence[Shifted]) -> int:
    """Moves planned Messages whose times no person chose, and gives them this wording. Returns how many moved."""
    if not shifts:
        return 0
    return _change("shift", rows=sql.rows(shifts), schedule=sql.key(schedule), version=sql.key(version))


def rename(old: uuid.UUID, new: uuid.UUID, names: Mapping[str, str]) -> int:
    """Gives the Messages of the Schedule `old` the names that their Occurrences have in `new`. Returns how many."""
    if not names:
        return 0
    rows = sql.rows([{"old": before, "new": after} for before, after in names.items()])
    return _change("rename", rows=rows, old=sql.key(old), new=sql.key(new))


def pending_instants(after: Mapping[uuid.UUID, dt.datetime]) -> dict[uuid.UUID, dt.datetime]:
    """By Schedule, the first instant after this one (in UTC) at which a Message is pending; without those with none."""
    if not after:
        return {}
    rows = sql.rows([{"id": schedule, "after": at} for schedule, at in after.items()])
    found = _rows("pending_instants", rows=rows)
    return {sql.as_uuid(schedule): sql.as_instant(due) for schedule, due in found if due}


Named = tuple[uuid.UUID, uuid.UUID, str]
"""A Schedule, a patient and the name of an Occurrence: the three that only one Message has."""


def made(asked: Sequence[Named]) -> set[Named]:
    """Those of which there is a Message, whatever became of it."""
    if not asked:
        return set()
    rows = sql.rows([{"schedule": one, "patient": patient, "occurrence": name} for one, patient, name in asked])
    found = _rows("made", rows=rows)
    return {(sql.as_uuid(one), sql.as_uuid(patient), str(name)) for one, patient, name in found}


def _ids(ids: Sequence[uuid.UUID]) -> str:
    return sql.rows([{"id": one} for one in ids])


def _rows(name: str, **parameters: object) -> list[sql.Row]:
    (one,) = statement(name)
    return sql.run(one, parameters)


def _change(name: str, **parameters: object) -> int:
    """Executes the statements of this name. Returns how many rows the last of them changed."""
    return [sql.changed(one, parameters) for one in statement(name)][-1]
