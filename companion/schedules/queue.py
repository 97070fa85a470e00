"""The queue as the Dispatcher works it off: named statements that claim, look, begin and give back.

None of them changes a status (lifecycle.py does). A lease is columns on a pending row, in no index. The index
`messages_in_line` holds what is pending in the order in which it goes; who claims steps over the few that others hold,
so that a claim costs the same at a thousand and at a million Messages. All run inside the caller's transaction.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import cache

import msgspec

from companion.schedules import sql
from companion.schedules.models import Lane

FREE = "status = 'pending' AND open_attempt_id IS NULL AND (lease_until IS NULL OR lease_until <= %s)"
"""That nobody holds it. A lease that is over is nobody's: so a dead Dispatcher's Messages come to the next."""

_CLAIM = """
UPDATE schedules_message SET lease_token = %s, lease_until = %s
WHERE id IN (
    SELECT id FROM schedules_message
    WHERE clinic_id = %s AND lane = %s AND ready_at <= %s AND {free}
    ORDER BY ready_at LIMIT %s {skip_locked}
) AND {free}
RETURNING {columns}
"""

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

_LEASE_END = """
SELECT min(lease_until) FROM schedules_message
WHERE clinic_id = %s AND lane IN ({lanes}) AND ready_at <= %s AND status = 'pending' AND open_attempt_id IS NULL
"""

_INSERT_ATTEMPTS = """
INSERT INTO schedules_attempt (id, clinic_id, message_id, number, began_at, text, telegram_id, outcome, note)
SELECT r.attempt, m.clinic_id, m.id, m.tries + 1, r.began_at, {text}, r.chat, '', ''
FROM r {then} schedules_message m ON m.id = r.message
"""

_OPEN = """
UPDATE schedules_message SET open_attempt_id = r.attempt, tries = tries + 1
FROM r WHERE schedules_message.id = r.message
"""

_GIVE_BACK = """
UPDATE schedules_message
SET lease_token = NULL, lease_until = NULL, ready_at = coalesce(r.ready_at, schedules_message.ready_at),
    late_at = coalesce(r.late_at, schedules_message.late_at)
FROM r
WHERE schedules_message.id = r.message AND schedules_message.lease_token = r.lease
  AND schedules_message.open_attempt_id IS NULL AND schedules_message.status = 'pending'
"""

_BEGIN_ROWS = {"message": "uuid", "attempt": "uuid", "began_at": "timestamptz", "text": "bytea", "chat": "bigint"}
_BACK_ROWS = {"message": "uuid", "lease": "uuid", "ready_at": "timestamptz", "late_at": "timestamptz"}


class Claimed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A Message that this Dispatcher holds: it may begin it from `ready_at` on, until the lease ends."""

    id: uuid.UUID
    lane: int
    ready_at: dt.datetime
    lease: uuid.UUID


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A claimed Message that is to begin now, with the id that its Attempt will have."""

    message: uuid.UUID
    lease: uuid.UUID
    attempt: uuid.UUID


class Begin(msgspec.Struct, frozen=True, gc=False):
    """An Attempt to be written down: who, when, and the sealed text that leaves."""

    message: uuid.UUID
    attempt: uuid.UUID
    began_at: dt.datetime
    text: str
    """Sealed, hexadecimal."""
    chat: int


class Back(msgspec.Struct, frozen=True, gc=False):
    """A claimed Message given back; `ready_at` and `late_at` (both UTC) change only where given."""

    message: uuid.UUID
    lease: uuid.UUID
    ready_at: dt.datetime | None = None
    late_at: dt.datetime | None = None


def claim(
    clinic: uuid.UUID,
    lane: int,
    *,
    now: dt.datetime,
    ready_before: dt.datetime,
    limit: int,
    lease: uuid.UUID,
    until: dt.datetime,
) -> list[Claimed]:
    """Takes the Messages of one lane that are ready by then, soonest first, and returns what it got."""
    at = sql.instant(now)
    line = (sql.key(clinic), lane, sql.instant(ready_before), at, limit, at)
    found = sql.run(_claim(), (sql.key(lease), sql.instant(until), *line))
    return _CLAIMED.decode(f"[{','.join(str(one) for (one,) in found)}]")


_CLAIMED = msgspec.json.Decoder(list[Claimed])


@cache
def _claim() -> str:
    one = sql.nested(f"id, lane, {sql.instant_out('ready_at')}, lease_token")
    skip_locked = sql.locking("FOR UPDATE SKIP LOCKED")
    return _CLAIM.format(columns=f"CAST({one} AS text)", free=FREE, skip_locked=skip_locked)


def next_ready(clinic: uuid.UUID, *, now: dt.datetime) -> dt.datetime | None:
    """When the next unclaimed Message of this clinic is ready; an index look-up for each lane."""
    lanes = " UNION ALL ".join(f"SELECT {lane} AS lane" for lane in Lane.values)
    return _first(_NEXT_READY.format(lanes=lanes, free=FREE), sql.key(clinic), sql.instant(now))


def next_lease_end(clinic: uuid.UUID, *, ready_before: dt.datetime) -> dt.datetime | None:
    """When the first lease ends of what is ready by then and claimed. To be asked when all of that is claimed."""
    lanes = ", ".join(str(lane) for lane in Lane.values)
    return _first(_LEASE_END.format(lanes=lanes), sql.key(clinic), sql.instant(ready_before))


def _first(statement: str, *parameters: object) -> dt.datetime | None:
    found = sql.run(statement, parameters)[0][0]
    return None if found is None else sql.as_instant(found)


def begin(begins: Sequence[Begin]) -> None:
    """Writes the Attempts down and puts their Messages on the wire. Must be committed before anything is sent."""
    if not begins:
        return
    rows = sql.parameter(begins)
    for statement in _begin():
        sql.run(statement, (rows,))


@cache
def _begin() -> tuple[str, ...]:
    return sql.with_rows(_BEGIN_ROWS, _INSERT_ATTEMPTS.format(text=sql.bytes_of("r.text"), then=sql.then()), _OPEN)


def give_back(backs: Sequence[Back]) -> int:
    """Ends the leases of Messages that were claimed and not begun; how many still were ours."""
    if not backs:
        return 0
    (statement,) = sql.with_rows(_BACK_ROWS, _GIVE_BACK)
    return sql.changed(statement, (sql.parameter(backs),))
