"""Notices that this database is an older copy of itself, since its Journal knows more than the database does.

Each dispatcher and each listener looks before it starts. An older copy is held at once, as by `companion restored`,
until an admin lets sending go on.
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
"""The number of newest files that are read: several services write to one folder."""
_AT_ONCE: Final = 500


def hold_if_older(path: Path, *, now: dt.datetime) -> Restoration | None:
    """Holds everything if the Journal in this folder is ahead of the database; returns None if it isn't."""
    before = holding.latest()
    entries = [entry for entry in folder.newest(path, _FILES) if before is None or entry.at > before.at]
    ahead = [*_lost_attempts(entries), *_lost_updates(entries)]
    if not ahead:
        return None
    # Nobody said how the older database came here: the same way may have put back an older Journal, only less old.
    return holding.hold(taken_at=min([*ahead, now]), now=now, journals=[path], survived=False)


def _lost_attempts(entries: Sequence[Entry]) -> list[dt.datetime]:
    """Return when each Attempt began that has ended and that the database doesn't have.

    The database has every Attempt before its request leaves, and never deletes one.
    """
    ours = set(Clinic.objects.values_list("id", flat=True))
    begun = {entry.attempt: entry.at for entry in entries if isinstance(entry, Begun) and entry.clinic in ours}
    ended = [entry.attempt for entry in entries if isinstance(entry, Ended) and entry.attempt in begun]
    lost: list[dt.datetime] = []
    for start in range(0, len(ended), _AT_ONCE):
        some = ended[start : start + _AT_ONCE]
        known = set(Attempt.objects.filter(pk__in=some).values_list("id", flat=True))
        lost += [begun[attempt] for attempt in some if attempt not in known]
    return lost


def _lost_updates(entries: Sequence[Entry]) -> list[dt.datetime]:
    """Return when updates were confirmed to Telegram that this database still waits for."""
    reached = dict(Bot.objects.filter(next_update_id__gt=0).values_list("id", "next_update_id"))
    told = [entry for entry in entries if isinstance(entry, Updated) and entry.bot in reached]
    # A number further ahead belongs to another bot, or Telegram began anew after a quiet week.
    return [entry.at for entry in told if 0 < entry.next_update_id - reached[entry.bot] <= REPLAYED]
