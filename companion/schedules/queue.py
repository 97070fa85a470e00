"""The queue as the Dispatcher works it off: named statements that find what is next, begin it, and put it off.

None of them changes a status (lifecycle.py does). The index `messages_in_line` holds what is pending in the order in
which it goes; who begins steps over the few that are begun already, so that it costs the same at a thousand and at a
million Messages. A lease begins with its Attempt and is in no index. All run inside the caller's transaction.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from companion.schedules import sql
from companion.schedules.models import Lane

FREE = "status = 'pending' AND open_attempt_id IS NULL"
"""That nobody has begun it: the one statement of it for SQL; for the ORM it is lifecycle.NOT_BEGUN."""

_IN_LANE = """
SELECT * FROM (
    SELECT id, lane, ready_at FROM schedules_message
    WHERE clinic_id = %s AND lane = {lane} AND ready_at <= %s AND (ready_at, id) >= (%s, %s) AND {free}
    ORDER BY ready_at, id LIMIT %s
) AS lane_{lane}
"""
_IN_LINE = "SELECT id FROM ({lanes}) AS line ORDER BY lane, ready_at, id LIMIT %s"

_LANES = " UNION ALL ".join(f"SELECT {lane} AS lane" for lane in Lane.values)

_NEXT_READY = """
SELECT min(ready_at) FROM (
    SELECT (
        SELECT ready_at FROM schedules_message
        WHERE clinic_id = %s AND lane = lanes.lane AND {free}
        ORDER BY ready_at LIMIT 1
    ) AS ready_at
    FROM ({lanes}) AS lanes
) AS firsts
"""

_INSERT_ATTEMPTS = """
INSERT INTO schedules_attempt (id, clinic_id, message_id, number, began_at, text, telegram_id, outcome, note)
SELECT r.attempt, m.clinic_id, m.id, m.tries + 1, r.began_at, {text}, r.chat, '', ''
FROM r {then} schedules_message m ON m.id = r.message
"""

_OPEN = """
UPDATE schedules_message SET open_attempt_id = r.attempt, lease_until = %s, tries = tries + 1
FROM r WHERE schedules_message.id = r.message
"""

TAKE_SLOTS = "UPDATE clinics_bot SET next_slot_at = %s WHERE id = %s"

# A lease is in no index, hence the heads of the lines, where what is begun must stand. On SQLite no subquery that is
# joined may go by the rows before it, but one that is a value may: hence JSON.
_HEAD = 1000
_EACH_HEAD = """
SELECT ({in_line}) FROM clinics_clinic c CROSS JOIN ({lanes}) AS lanes UNION ALL SELECT ({too_late})
"""
_IN_LINE_HEAD = """
FROM (
    SELECT id, open_attempt_id, lease_until FROM schedules_message
    WHERE clinic_id = c.id AND lane = lanes.lane AND status = 'pending' AND ready_at <= %s
    ORDER BY ready_at, id LIMIT {most}
) AS head WHERE lease_until < %s AND open_attempt_id IS NOT NULL
"""
_TOO_LATE_HEAD = """
FROM (
    SELECT id, open_attempt_id, lease_until FROM schedules_message
    WHERE status = 'pending' AND late_at <= %s
    ORDER BY late_at LIMIT {most}
) AS head WHERE lease_until < %s AND open_attempt_id IS NOT NULL
"""

_PUT_OFF = """
UPDATE schedules_message
SET ready_at = r.ready_at, late_at = coalesce(r.late_at, schedules_message.late_at)
FROM r
WHERE schedules_message.id = r.message AND {free}
"""

_BEGIN_ROWS = {"message": "uuid", "attempt": "uuid", "began_at": "timestamptz", "text": "bytea", "chat": "bigint"}
_LATER_ROWS = {"message": "uuid", "ready_at": "timestamptz", "late_at": "timestamptz"}


class Place(NamedTuple):
    """Where somebody stands in a lane's line."""

    ready_at: dt.datetime
    id: uuid.UUID


Places = dict[int, Place]
"""By lane: what is before this place was dealt with a moment ago. None: from the lane's beginning on."""
_BEGINNING = Place(dt.datetime(1970, 1, 1, tzinfo=dt.UTC), uuid.UUID(int=0))


class Begin(msgspec.Struct, frozen=True, gc=False):
    """An Attempt to be written down: who, when, and the sealed text that leaves."""

    message: uuid.UUID
    attempt: uuid.UUID
    began_at: dt.datetime
    text: str
    """Sealed, hexadecimal."""
    chat: int


class Lapsed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A Message, and its Attempt of whose end nobody will tell."""

    message: uuid.UUID
    attempt: uuid.UUID


_LAPSED = msgspec.json.Decoder(list[Lapsed])


class Later(msgspec.Struct, frozen=True, gc=False):
    """A Message that may not go yet; `late_at` (as `ready_at`: UTC) changes only where given."""

    message: uuid.UUID
    ready_at: dt.datetime
    late_at: dt.datetime | None = None


def along_the_line(clinic: uuid.UUID, places: Places, most: int, *, now: dt.datetime) -> list[object]:
    """The parameters of `in_line`, from these places on."""
    parameters: list[object] = []
    for lane in Lane.values:
        place = places.get(lane, _BEGINNING)
        parameters += [sql.key(clinic), sql.instant(now), sql.instant(place.ready_at), sql.key(place.id), most]
    return [*parameters, most]


@cache
def in_line() -> str:
    """A SELECT of the ids of what goes next: by lane, then by time."""
    return _IN_LINE.format(lanes=" UNION ALL ".join(_IN_LANE.format(lane=lane, free=FREE) for lane in Lane.values))


def next_ready(clinic: uuid.UUID) -> dt.datetime | None:
    """When the first Message of this clinic that nobody has begun is ready; an index look-up for each lane."""
    found = sql.run(_NEXT_READY.format(lanes=_LANES, free=FREE), (sql.key(clinic),))[0][0]
    return None if found is None else sql.as_instant(found)


def begin(begins: Sequence[Begin], bot: uuid.UUID, next_slot: dt.datetime, *, lease_until: dt.datetime) -> None:
    """Writes the Attempts down, puts their Messages on the wire and takes the bot's slots for them, up to `next_slot`.

    Must be committed before anything is sent.
    """
    if not begins:
        return
    taken = (sql.instant(next_slot), sql.key(bot))
    sql.run_all(_begin(), sql.parameter(begins), (), taken, (sql.instant(lease_until),))


@cache
def _begin() -> tuple[str, ...]:
    attempts = _INSERT_ATTEMPTS.format(text=sql.bytes_of("r.text"), then=sql.then())
    return sql.with_rows(_BEGIN_ROWS, attempts, TAKE_SLOTS, _OPEN)


def lapsed(*, now: dt.datetime) -> list[Lapsed]:
    """What was begun and whose lease ran out.

    What is begun stands first in its lane's line, and is looked for there; were it behind _HEAD others, it would be
    found when it is too late for it at the latest.
    """
    at = sql.instant(now)
    found = sql.run(_lapsed(), (at, at, at, at))
    # In one order for all who look, since each locks what it finds.
    return sorted({one for (head,) in found for one in _LAPSED.decode(str(head))}, key=lambda one: one.message)


@cache
def _lapsed() -> str:
    columns = "id, open_attempt_id"
    return _EACH_HEAD.format(
        in_line=sql.select_json(columns, _IN_LINE_HEAD.format(most=_HEAD)),
        too_late=sql.select_json(columns, _TOO_LATE_HEAD.format(most=_HEAD)),
        lanes=_LANES,
    )


def put_off(laters: Sequence[Later]) -> None:
    """Moves Messages that nobody has begun back in the line."""
    if not laters:
        return
    (statement,) = sql.with_rows(_LATER_ROWS, _PUT_OFF.format(free=FREE))
    sql.run(statement, (sql.parameter(laters),))
