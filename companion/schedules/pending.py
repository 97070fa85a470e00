"""The next instants at which Schedules have pending Messages: one statement for many Schedules. Reads only."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Sequence

from companion.schedules import sql

# A Schedule may have 100,000 Messages at one instant: from each instant the index (messages_of_a_schedule) leads
# straight to the next.
_STEPS = """
SELECT r.id, r.after, (
    SELECT m.due_at FROM schedules_message m
    WHERE m.schedule_id = r.id AND m.status = 'pending' AND m.due_at > r.after
    ORDER BY m.due_at LIMIT 1
) FROM r
"""


def pending_instants(
    schedules: Sequence[uuid.UUID], *, after: dt.datetime, count: int
) -> dict[uuid.UUID, list[dt.datetime]]:
    """By Schedule, the first `count` instants after this one at which a Message of it is pending."""
    found: dict[uuid.UUID, list[dt.datetime]] = defaultdict(list)
    (statement,) = sql.with_rows({"id": "uuid", "after": "timestamptz"}, _STEPS)
    last = dict.fromkeys(schedules, after.astimezone(dt.UTC))
    for _ in range(count):
        if not last:
            break
        rows = sql.parameter([{"id": schedule, "after": at} for schedule, at in last.items()])
        last = {sql.as_uuid(schedule): sql.as_instant(due) for schedule, _, due in sql.run(statement, (rows,)) if due}
        for schedule, due in last.items():
            found[schedule].append(due)
    return found
