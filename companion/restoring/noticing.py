"""Notice an older copy of the database: the Journal then records more than the database knows.

Each dispatcher and each listener checks this before it starts. If the database is an older copy, all sending is held at
once, as by `companion restored`, until an admin lets it continue.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from companion.clinics.models import Bot, Clinic
from companion.journal import folder
from companion.journal.entries import Begun, Ended, Entry, Updated
from companion.listener.handling import REPLAYED
from companion.restoring import holding
from companion.restoring.models import Restoration
from companion.schedules.models import Attempt

_FILES: Final = 6
"""The number of newest files that are read. There may be several, because several services write to one folder."""
_AT_ONCE: Final = 500


def hold_if_older(path: Path, *, now: dt.datetime) -> Restoration | None:
    """Hold all sending if the Journal in this folder is ahead of the database. Return None if it isn't."""
    last_restore = holding.latest()
    entries = [entry for entry in folder.newest(path, _FILES) if last_restore is None or entry.at > last_restore.at]
    ahead = [*_lost_attempts(entries), *_lost_updates(entries)]
    if not ahead:
        return None
    # Nobody knows how the older database came here. The Journal may be an older copy, too, even if it is newer than
    # the database.
    return holding.hold(taken_at=min([*ahead, now]), now=now, journals=[path], survived=False)


def _lost_attempts(entries: Sequence[Entry]) -> list[dt.datetime]:
    """Return the beginnings of the ended Attempts that the database lacks.

    The database stores each Attempt before its request leaves, and deletes none. So it must be an older copy.
    """
    clinics = set(Clinic.objects.values_list("id", flat=True))
    begun = {entry.attempt: entry.at for entry in entries if isinstance(entry, Begun) and entry.clinic in clinics}
    ended = [entry.attempt for entry in entries if isinstance(entry, Ended) and entry.attempt in begun]
    lost: list[dt.datetime] = []
    for start in range(0, len(ended), _AT_ONCE):
        portion = ended[start : start + _AT_ONCE]
        known = set(Attempt.objects.filter(pk__in=portion).values_list("id", flat=True))
        lost += [begun[attempt] for attempt in portion if attempt not in known]
    return lost


def _lost_updates(entries: Sequence[Entry]) -> list[dt.datetime]:
    """Return the instants at which updates were confirmed to Telegram that this database still waits for."""
    next_ids = dict(Bot.objects.filter(next_update_id__gt=0).values_list("id", "next_update_id"))
    confirmed = [entry for entry in entries if isinstance(entry, Updated) and entry.bot in next_ids]
    # A number that is further ahead belongs to another bot, or Telegram has begun new numbers after a quiet week.
    return [entry.at for entry in confirmed if 0 < entry.next_update_id - next_ids[entry.bot] <= REPLAYED]
