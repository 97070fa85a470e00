"""Notices by itself that this database is older than what it once knew: its own Journal is ahead of it.

Looked at before each start of a dispatcher or a listener. Then everything is held, as after a restore that was told,
until an admin goes on.
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
"""The newest ones, of several services."""
_AT_ONCE: Final = 500


def look(path: Path, *, now: dt.datetime) -> Restoration | None:
    """Holds everything where the Journal in this folder is ahead of the database; None where it isn't."""
    before = holding.latest()
    entries = [entry for entry in folder.newest(path, _FILES) if before is None or entry.at > before.at]
    ahead = [*_lost_attempts(entries), *_lost_updates(entries)]
    if not ahead:
        return None
    return holding.hold(taken_at=min([*ahead, now]), now=now, journals=[path])


def _lost_attempts(entries: Sequence[Entry]) -> list[dt.datetime]:
    """When Attempts were begun that ended and that the database doesn't have.

    An Attempt is written down before its request leaves, and never deleted.
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
    """When updates were confirmed to Telegram that the database thinks are still to come."""
    reached = dict(Bot.objects.filter(next_update_id__gt=0).values_list("id", "next_update_id"))
    told = [entry for entry in entries if isinstance(entry, Updated) and entry.bot in reached]
    # Further ahead it is another numbering: of another bot, or after a quiet week.
    return [entry.at for entry in told if 0 < entry.next_update_id - reached[entry.bot] <= REPLAYED]
